// SPDX-License-Identifier: Apache-2.0

// Package peer is what the Go peers of the benchmark have in common: the modes of bench/README.md, the line
// protocol, and the series that are measured. A program gives it its library.
package peer

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// Library is one library for metrics. Count and Hold are for Operations and Observe is for Timing, written as an
// application writes them.
type Library interface {
	// Count looks the counter up by its label values and adds n.
	Count(operation, providerType, provider, outcome string, n int)
	// Hold returns what increments this counter without a look-up.
	Hold(operation, providerType, provider, outcome string) func()
	// Observe looks the histogram up by its label values.
	Observe(operation, providerType, provider string, value float64)
	// Series makes or finds a series for a line of the protocol. It takes values.
	Series(m *Metric, values []string) Series
	// Handler serves the exposition.
	Handler() http.Handler
}

// Series is the handle of one series.
type Series interface {
	// Apply adds, sets or observes, as the metric's type and op say.
	Apply(op Op, value float64)
}

// Main runs the mode that the arguments name. Note is shown beside results about histograms.
func Main(library Library, note string) {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: %s MODE --flag value ...", os.Args[0]))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	socket := flags.String("socket", "", "events come here")
	listen := flags.String("listen", "", "scrapes come here")
	n := flags.Int("series", 1000, "number of series")
	buckets := flags.Int("buckets", 0, "histograms of that many buckets instead of counters")
	_ = flags.Parse(os.Args[2:])
	if *buckets != 0 && *buckets != len(bounds) {
		fmt.Printf("SKIP: the histograms have %d buckets\n", len(bounds))
		return
	}
	switch os.Args[1] {
	case "counter":
		report(counter(library, *n), "")
	case "memory":
		if *buckets == 0 {
			note = ""
		}
		report(memory(library, *n, *buckets), note)
	case "serve":
		serveEvents(library, *socket)
		serveHTTP(*listen, map[string]http.Handler{"/metrics": library.Handler()})
	case "scrape":
		change := fill(library, *n, *buckets)
		serveHTTP(*listen, map[string]http.Handler{"/metrics": library.Handler(), "/change": change})
	default:
		fmt.Printf("SKIP: no mode %s\n", os.Args[1])
	}
}

func report(result map[string]any, note string) {
	if note != "" {
		result["note"] = note
	}
	text, err := json.Marshal(result)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
}

// serveHTTP says that it is ready and ends the process on SIGTERM or with standard input.
func serveHTTP(address string, handlers map[string]http.Handler) {
	mux := http.NewServeMux()
	for path, handler := range handlers {
		mux.Handle(path, handler)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail(err)
	}
	go func() {
		fail(http.Serve(listener, mux))
	}()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		var rest [64]byte
		for {
			if _, err := os.Stdin.Read(rest[:]); err != nil {
				end <- syscall.SIGTERM
				return
			}
		}
	}()
	fmt.Printf("ready %d\n", os.Getpid())
	<-end
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
