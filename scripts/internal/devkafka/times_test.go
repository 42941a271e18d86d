package devkafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Times that are too far off are refused, whatever the compression, in the past and in the future; others are taken.
func TestRefuseTimes(t *testing.T) {
	b, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Topics: []Topic{{"logs", 1}}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.RefuseTimes(time.Hour)
	for name, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression()} {
		t.Run(name, func(t *testing.T) {
			cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("logs"), kgo.ProducerBatchCompression(codec))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			f := func(off time.Duration, want error) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				// The first one's time is good: a batch is refused for any of its records.
				err := cl.ProduceSync(ctx,
					&kgo.Record{Value: []byte("a"), Timestamp: time.Now()},
					&kgo.Record{Value: []byte("b"), Timestamp: time.Now().Add(off)}).FirstErr()
				if !errors.Is(err, want) {
					t.Errorf("%v off: %v, want %v", off, err, want)
				}
			}
			f(time.Minute, nil)
			f(-time.Minute, nil)
			f(2*time.Hour, kerr.InvalidTimestamp)
			f(-2*time.Hour, kerr.InvalidTimestamp)
			f(0, nil)
		})
	}
}
