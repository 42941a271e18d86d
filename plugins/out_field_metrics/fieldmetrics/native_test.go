package fieldmetrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// A native histogram of client_golang is the model: the same values fall into the same buckets and are shown the same.
func TestNativeLikeClientGolang(t *testing.T) {
	for _, factor := range []float64{1.003, 1.01, 1.1, 1.5, 2, 4, 256, 65536} {
		r := rand.New(rand.NewPCG(1, uint64(factor*1000)))
		model := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", NativeHistogramBucketFactor: factor})
		n := native{schema: schemaFor(factor)}
		for i := range 3000 {
			v := math.Exp(r.NormFloat64() * 8)
			switch i % 7 {
			case 0:
				v = -v
			case 1:
				v = math.Exp2(float64(r.IntN(40) - 20)) // on a bound
			case 2:
				v = 0
			}
			model.Observe(v)
			n.observe(v, math.MaxInt)
		}
		var want dto.Metric
		if err := model.Write(&want); err != nil {
			t.Fatal(err)
		}
		got := &dto.Histogram{SampleCount: want.Histogram.SampleCount, SampleSum: want.Histogram.SampleSum, CreatedTimestamp: want.Histogram.CreatedTimestamp}
		n.show(got)
		if !proto.Equal(got, want.Histogram) {
			t.Errorf("factor %v:\n%v\nwant\n%v", factor, got, want.Histogram)
		}
	}
}

func TestNativeExtremes(t *testing.T) {
	for schema := int32(minSchema); schema <= maxSchema; schema++ {
		n := native{schema: schema}
		for _, v := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, -math.MaxFloat64, zeroThreshold, -zeroThreshold, 0, 1} {
			n.observe(v, 1000)
		}
		if n.zero != 4 || len(n.positive) != 2 || len(n.negative) != 1 {
			t.Errorf("schema %d: %+v", schema, n)
		}
	}
}

// Where the buckets become too many their resolution is halved, and no value is lost.
func TestNativeBucketsAreBounded(t *testing.T) {
	const limit = 20
	r := rand.New(rand.NewPCG(3, 4))
	n, fine := native{schema: 8}, native{schema: 8}
	const total = 20_000
	for range total {
		v := math.Exp(r.NormFloat64() * 3)
		if r.IntN(5) == 0 {
			v = -v
		}
		n.observe(v, limit)
		fine.observe(v, math.MaxInt)
		if len(n.positive)+len(n.negative) > limit {
			t.Fatalf("%d and %d buckets", len(n.positive), len(n.negative))
		}
	}
	if n.schema >= 4 || n.schema <= minSchema {
		t.Errorf("schema is %d", n.schema)
	}
	// what the finest resolution makes of the values, halved as often, is the same
	for fine.schema > n.schema {
		fine.schema--
		fine.positive, fine.negative = halve(fine.positive), halve(fine.negative)
	}
	count := uint64(0)
	for i, b := range n.positive {
		count += b.count
		if b != fine.positive[i] {
			t.Fatalf("bucket %d is %v, want %v", i, b, fine.positive[i])
		}
	}
	for i, b := range n.negative {
		count += b.count
		if b != fine.negative[i] {
			t.Fatalf("negative bucket %d is %v, want %v", i, b, fine.negative[i])
		}
	}
	if count != total {
		t.Errorf("%d values are in buckets, want %d", count, total)
	}
}
