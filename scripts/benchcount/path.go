package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"flbgo/scripts/internal/benchdata"
	"flbgo/scripts/internal/contracthost"
	"flbgo/scripts/internal/devkafka"
)

// hotPath is what a plugin does with most chunks, configured as in scripts/bench/peers.
type hotPath struct {
	name, plugin string
	options      []string
	workers      int
	kafka        bool
}

var hotPaths = []hotPath{
	{
		name: "enrich", plugin: "filter_enrich",
		options: []string{"attributes=service.name=checkout,service.version=1.4.2,deployment.environment=production,host.name=node-17,log_type=app", "level=off"},
	},
	{
		name: "field_metrics", plugin: "out_field_metrics", workers: 1,
		options: []string{"listen=off", "metric_name=http_request_duration_milliseconds", "metric_type=histogram", "field=duration_ms",
			"label_fields=level,method,status", "buckets=1,5,10,25,50,100,250,500,1000,2500"},
	},
	{name: "kafka_batch", plugin: "out_kafka_batch", workers: 1, kafka: true, options: []string{"topics=logs"}},
}

const (
	records = 1000 // of a chunk: 260 KB
	few     = 10   // chunks of the run that is subtracted
	many    = 50
)

// count runs a host under callgrind and returns instructions by function. It does what is the same every time: one
// worker, no garbage collector, one processor for goroutines, and chunks that follow one another.
func count(ctx context.Context, p contracthost.Program, h hotPath, dir string, chunks int) (_ map[string]int64, err error) {
	options := h.options
	if h.kafka {
		b, err := devkafka.Start(ctx, devkafka.Config{Listen: "127.0.0.1:0", Topics: []devkafka.Topic{{Name: "logs", Partitions: 1}}})
		if err != nil {
			return nil, err
		}
		defer b.Close()
		options = append([]string{"brokers=" + b.Addr()}, options...)
	}
	out := filepath.Join(dir, fmt.Sprintf("callgrind-%s-%d", h.name, chunks))
	v, err := p.Start(ctx, contracthost.Options{
		Plugin: h.plugin, Options: options, Workers: h.workers,
		Env:  []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"},
		Wrap: []string{"valgrind", "--tool=callgrind", "--callgrind-out-file=" + out},
	})
	if err != nil {
		return nil, err
	}
	defer v.Kill()
	data, err := benchdata.Chunk(benchdata.Normal, 0, records, nil)
	if err != nil {
		return nil, err
	}
	if err := v.Chunk("c", data); err != nil {
		return nil, err
	}
	if err := v.Run("app.json", "c", chunks); err != nil {
		return nil, err
	}
	// What goes on behind the last verdict has an end.
	time.Sleep(500 * time.Millisecond)
	if err := v.Close(); err != nil {
		return nil, err
	}
	defer os.Remove(out)
	return readCallgrind(out, contracthost.Plugins[h.plugin])
}

// difference is count twice, subtracted. valgrind 3.19 died of itself in 1 of 15 runs when it was tried without
// asyncpreemptoff, so that a run may be tried again.
func difference(ctx context.Context, p contracthost.Program, h hotPath, dir string, stderr io.Writer) (Count, error) {
	again := func(chunks int) (m map[string]int64, err error) {
		for range 3 {
			if m, err = count(ctx, p, h, dir, chunks); err == nil || ctx.Err() != nil {
				return m, err
			}
			fmt.Fprintf(stderr, "%s: %v\n", h.name, err)
		}
		return nil, err
	}
	a, err := again(few)
	if err != nil {
		return Count{}, err
	}
	b, err := again(many)
	return perRecord(a, b, records*(many-few)), err
}

// Count is what one hot path costs per record: instructions in the plugin's code.
type Count struct {
	// Own are those of the plugin and what it imports, copying and clearing of memory and map look-ups included.
	Own float64 `json:"own"`
	// Runtime are those of Go's scheduler, allocator, timers and calls from C. They depend on what the threads met.
	Runtime float64 `json:"runtime"`
	// Functions are those with at least one instruction per record, of both kinds.
	Functions map[string]float64 `json:"functions"`
}

var (
	goRuntime = regexp.MustCompile(`^(runtime|_?cgo|x_cgo|crosscall|internal/runtime)`)
	work      = regexp.MustCompile(`^(runtime\.(mem(move|clr|equal|hash)|map|aeshash|cmp|strhash|bytealg|duff)|internal/(runtime/maps|bytealg))`)
)

// perRecord is the difference of two runs.
func perRecord(few, many map[string]int64, records float64) Count {
	c := Count{Functions: map[string]float64{}}
	for name, n := range many {
		v := float64(n-few[name]) / records
		if v >= 1 {
			c.Functions[strings.TrimPrefix(name, "flbgo/")] = v
		}
		if goRuntime.MatchString(name) && !work.MatchString(name) {
			c.Runtime += v
		} else {
			c.Own += v
		}
	}
	return c
}
