// SPDX-License-Identifier: Apache-2.0

// native FACTOR MAX_BUCKETS: what client_golang's histogram makes of the numbers of its standard input, as a line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func buckets(spans []*dto.BucketSpan, deltas []int64) map[int32]int64 {
	out := map[int32]int64{}
	index, count, n := int32(0), int64(0), 0
	for _, span := range spans {
		index += span.GetOffset()
		for i := uint32(0); i < span.GetLength(); i++ {
			count += deltas[n]
			if count > 0 {
				out[index] = count
			}
			index++
			n++
		}
	}
	return out
}

func main() {
	factor, _ := strconv.ParseFloat(os.Args[1], 64)
	most, _ := strconv.ParseUint(os.Args[2], 10, 32)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "h", Help: "h", NativeHistogramBucketFactor: factor, NativeHistogramMaxBucketNumber: uint32(most)})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		v, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			panic(err)
		}
		h.Observe(v)
	}
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		panic(err)
	}
	n := m.Histogram
	_ = json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"schema": n.GetSchema(), "zero_count": n.GetZeroCount(), "zero_threshold": n.GetZeroThreshold(),
		"count":    n.GetSampleCount(),
		"positive": buckets(n.PositiveSpan, n.PositiveDelta), "negative": buckets(n.NegativeSpan, n.NegativeDelta)})
}
