// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest_test

import (
	"fmt"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

func ExampleRecorder() {
	set := virtrigaud.NewSet()
	recorder := virtrigaudtest.NewRecorder(set)
	set.Event("rpc", "provider_type", "method", "code").Observe(0.25, "vsphere", "Create", "InvalidArgument")
	set.Gauge("virtrigaud_queue_depth", "sort").Set(1, "VM")
	fmt.Println(recorder.Value("virtrigaud_provider_rpc_requests_total",
		"provider_type", "vsphere", "method", "CreateVM", "code", "INVALID_ARGUMENT"))
	fmt.Println(recorder.Value("virtrigaud_provider_rpc_latency_seconds_sum", "provider_type", "vsphere", "method", "CreateVM"))
	fmt.Println(recorder.Refused())
	// Output:
	// 1
	// 0.25
	// [{unknown_label {"metric":"virtrigaud_queue_depth","labels":{"sort":"VM"},"value":1}}]
}
