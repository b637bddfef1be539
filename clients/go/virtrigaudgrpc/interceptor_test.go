// SPDX-License-Identifier: Apache-2.0

package virtrigaudgrpc_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudgrpc"
	"example.org/virtrigaud/virtrigaudtest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func TestCallsAndStreamsAreRecordedOnce(t *testing.T) {
	set := virtrigaud.NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	called, served := rpc.With("vsphere"), rpc.With("mock")
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(virtrigaudgrpc.UnaryServer(served)),
		grpc.StreamInterceptor(virtrigaudgrpc.StreamServer(served)))
	checks := health.NewServer()
	healthpb.RegisterHealthServer(server, checks)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.Dial("unix:"+path, grpc.WithInsecure(), grpc.WithUnaryInterceptor(virtrigaudgrpc.UnaryClient(called)),
		grpc.WithStreamInterceptor(virtrigaudgrpc.StreamClient(called)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := healthpb.NewHealthClient(conn)
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "unknown"}); err == nil {
		t.Fatal("an unknown service is served")
	}
	watching, stop := context.WithCancel(ctx)
	stream, err := client.Watch(watching, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	for i := 0; i < 3; i++ {
		if _, err := stream.Recv(); err == nil {
			t.Fatal("the stream goes on")
		}
	}
	server.GracefulStop()
	recorder := virtrigaudtest.NewRecorderKeeping(set, virtrigaudtest.Builtin())
	for _, side := range []string{"vsphere", "mock"} {
		for _, one := range []struct {
			method, code string
			n            float64
		}{{"Check", "OK", 1}, {"Check", "NOT_FOUND", 1}, {"Watch", "CANCELLED", 1}} {
			if n := recorder.Value("virtrigaud_provider_rpc_requests_total", "provider_type", side, "method", one.method, "code", one.code); n != one.n {
				t.Errorf("%s: %s with %s is recorded %v times", side, one.method, one.code, n)
			}
		}
		if n := recorder.Value("virtrigaud_provider_rpc_latency_seconds_count", "provider_type", side, "method", "Check"); n != 2 {
			t.Errorf("%s: %v durations", side, n)
		}
	}
	if refused := recorder.Refused(); len(refused) != 0 {
		t.Errorf("refused: %v", refused)
	}
}
