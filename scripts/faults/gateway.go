package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// pausesForward tells whether a forward input closes its connections when it pauses. Before, what comes meanwhile is
// dropped and acknowledged.
func pausesForward(h fluentbit.Host) bool { return h.AtLeast(3, 1) }

// gatewayFaults: Kafka is out of reach of an edge gateway, to which two other Fluent Bits send.
var gatewayFaults = []Fault{{
	Name: "gateway-offline", Group: 9, Short: true,
	Title: "edge gateway with two senders, without Kafka from its start on, for minutes (short: 10 s), within its limits",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		_, err := r.offlineGateway(ctx, "Flush", "5", "5")
		return err
	},
}, {
	Name: "gateway-overfull", Group: 9, Short: true,
	Title: "the same with storage.max_chunks_up reached: the input pauses",
	Class: func(h fluentbit.Host) Class {
		if pausesForward(h) {
			// A sender whose connection is closed before the acknowledgement sends again.
			return NoneLost.WithCopies()
		}
		return RefusedByLimit("storage.max_chunks_up: hosts before 3.1 acknowledge what a paused forward input drops")
	},
	Run: func(ctx context.Context, r *Run) error {
		g, err := r.offlineGateway(ctx, "storage.max_chunks_up", "2000", "8")
		if err != nil || pausesForward(r.Host) {
			return err
		}
		// Nothing of the host counts what it drops here, but its senders count what it acknowledged.
		acknowledged, received, err := g.acknowledged(ctx)
		if err != nil {
			return err
		}
		r.Refused("acknowledged to senders and in no input's count", acknowledged-min(acknowledged, received))
		return nil
	},
}, {
	Name: "gateway-evicts", Group: 9,
	Title: "the same with storage.total_limit_size reached before: the oldest chunks are deleted",
	Class: Always(RefusedByLimit("storage.total_limit_size")),
	Run: func(ctx context.Context, r *Run) error {
		if _, err := r.offlineGateway(ctx, "storage.total_limit_size", "12G", "6M"); err != nil {
			return err
		}
		n, err := r.counter(ctx, `fluentbit_output_dropped_records_total{name="kafka"`)
		if err != nil {
			return err
		}
		r.Refused("fluentbit_output_dropped_records_total", n)
		if n == 0 {
			r.Note("this host kept more than the limit allows and deleted nothing")
		}
		return nil
	},
}}

// gateway is a gateway's senders.
type gateway struct {
	r       *Run
	senders []string // host:port of their metrics
}

// offlineGateway starts the edge gateway with one limit changed, without Kafka, and a sender for each of two streams,
// writes lines until Kafka has been away for long enough, and lets Kafka come. It returns when the senders have handed on
// all that was written.
func (r *Run) offlineGateway(ctx context.Context, limit, from, to string) (*gateway, error) {
	forward, err := pipeline.FreeAddr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(forward)
	if err != nil {
		return nil, err
	}
	changes := [][2]string{setting(limit, from, to)}
	if limit != "Flush" {
		changes = append(changes, setting("Flush", "5", "0.5")) // chunks for a limit that is reached in seconds
	}
	if err := r.Begin(ctx, Setup{
		Conf: "conf/edge-gateway/fluent-bit.conf", Changes: changes, NoHost: true, Extra: httpPort,
		Env: []string{"FORWARD_LISTEN=127.0.0.1", "FORWARD_PORT=" + port, "GATEWAY_NAME=edge-7"},
	}); err != nil {
		return nil, err
	}
	r.StopBroker()
	if err := r.StartHost(); err != nil {
		return nil, err
	}
	g := &gateway{r: r}
	for _, stream := range jsonStreams {
		if err := g.send(stream, port); err != nil {
			return nil, err
		}
	}
	cfg := loggen.Config{Streams: jsonStreams, Seed: 91, Duration: r.long(10*time.Second, 3*time.Minute)}
	if err := r.Write(ctx, cfg); err != nil {
		return nil, err
	}
	if err := r.Written(); err != nil {
		return nil, err
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // sent on
		return nil, err
	}
	r.alive(r.Pipeline.Host())
	kept := int64(0)
	for _, size := range r.chunks() {
		kept += size
	}
	r.Note("offline for %v; the gateway had %d chunks of together %.1f MB", cfg.Duration, len(r.chunks()), float64(kept)/(1<<20))
	if err := r.StartBroker(ctx); err != nil {
		return nil, err
	}
	r.Mended()
	return g, r.await(ctx, drainLimit, "everything handed on by the senders", func() (bool, error) {
		acknowledged, _, err := g.acknowledged(ctx)
		return acknowledged >= r.live.Progress().Written, err
	})
}

// acknowledged is how many records the senders know to be received, and how many the gateway received.
func (g *gateway) acknowledged(ctx context.Context) (acknowledged, received uint64, err error) {
	for _, addr := range g.senders {
		n, err := counterAt(ctx, addr, "fluentbit_output_proc_records_total{")
		if err != nil {
			return 0, 0, err
		}
		acknowledged += n
	}
	received, err = g.r.counter(ctx, `fluentbit_input_records_total{name="forward`)
	return acknowledged, received, err
}

// send starts a sender for a stream, which ends with the run.
func (g *gateway) send(stream, port string) error {
	r := g.r
	addr, err := pipeline.FreeAddr()
	if err != nil {
		return err
	}
	_, metrics, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	state := filepath.Join(r.Dir, "sender-"+stream)
	if err := os.MkdirAll(state, 0o755); err != nil {
		return err
	}
	conf := filepath.Join(state, "fluent-bit.conf")
	if err := os.WriteFile(conf, []byte(senderConf), 0o644); err != nil {
		return err
	}
	p, err := r.Host.Start(fluentbit.Options{Config: conf, Dir: r.Root, Log: filepath.Join(state, "log"), Env: []string{
		"ROOT=" + r.Root, "FILES=" + filepath.Join(r.Logs, stream+".log"), "SENDER_STATE=" + state, "FORWARD_PORT=" + port, "HTTP_PORT=" + metrics,
	}})
	if err != nil {
		return err
	}
	g.senders = append(g.senders, addr)
	r.Cleanup(func() error {
		select {
		case <-p.Done():
			return fmt.Errorf("the sender of %s ended by itself: %v; the end of its log:\n%s", stream, p.Err(), p.Tail(10))
		default:
			p.Kill()
			return nil
		}
	})
	return nil
}

// senderConf is what conf/edge-gateway/fluent-bit.conf asks of senders.
const senderConf = `[SERVICE]
    Flush                 0.2
    Parsers_File          ${ROOT}/conf/parsers.conf
    Plugins_File          ${ROOT}/conf/plugins.conf
    scheduler.base        1
    scheduler.cap         2
    storage.path          ${SENDER_STATE}/storage
    storage.max_chunks_up 256
    HTTP_Server           On
    HTTP_Listen           127.0.0.1
    HTTP_Port             ${HTTP_PORT}
[INPUT]
    Name              tail
    Tag               app.json
    Path              ${FILES}
    Parser            app_json
    DB                ${SENDER_STATE}/tail.db
    Path_Key          file
    Offset_Key        offset
    Read_from_Head    On
    Refresh_Interval  1
    Buffer_Chunk_Size 1M
    Buffer_Max_Size   1M
    storage.type      filesystem
    storage.pause_on_chunks_overlimit On
[FILTER]
    Name       enrich
    Match      *
    Attributes service.name=checkout,service.version=1.4.2,log_type=$TAG[0]
[OUTPUT]
    Name                 forward
    Match                *
    Host                 127.0.0.1
    Port                 ${FORWARD_PORT}
    Require_ack_response On
    Retry_Limit          no_limits
`
