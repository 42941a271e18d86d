package fieldmetrics

import (
	"math"
	"slices"
	"sort"
	"sync"

	dto "github.com/prometheus/client_model/go"
)

// native is a Prometheus native histogram of one series: buckets whose bounds are powers of 2^(2^-schema), kept only
// where there is something in them. Where they become too many their resolution is halved.
// https://prometheus.io/docs/specs/native_histograms/
type native struct {
	schema   int32
	zero     uint64 // values within zeroThreshold of 0
	positive []nativeBucket
	negative []nativeBucket // by the bounds of the absolute value
}

// nativeBucket counts the values v with base^(index-1) < v ≤ base^index. The buckets are in the order of index.
type nativeBucket struct {
	index int32
	count uint64
}

// zeroThreshold is client_golang's default, the smallest bound of any schema of practical use.
const zeroThreshold = 0x1p-128

const minSchema, maxSchema = -4, 8

// schemaFor is the finest schema whose buckets grow by at least the factor.
func schemaFor(factor float64) int32 {
	s := -math.Floor(math.Log2(math.Log2(factor)))
	return int32(min(max(s, minSchema), maxSchema))
}

// fractions are the bounds of a schema above 0 between 0.5 and 1, as Frexp splits numbers.
var fractions = func() (all [maxSchema + 1]func() []float64) {
	for schema := range all {
		all[schema] = sync.OnceValue(func() []float64 {
			n := 1 << schema
			bounds := make([]float64, n)
			for i := range bounds {
				bounds[i] = math.Exp2(float64(i)/float64(n) - 1)
			}
			return bounds
		})
	}
	return all
}()

// bucketIndex is the index of the bucket of a positive finite number.
func bucketIndex(v float64, schema int32) int32 {
	frac, exp := math.Frexp(v)
	if schema > 0 {
		bounds := fractions[schema]()
		return int32(sort.SearchFloat64s(bounds, frac) + (exp-1)*len(bounds))
	}
	if frac == 0.5 {
		exp--
	}
	return int32((exp + 1<<-schema - 1) >> -schema)
}

func (n *native) observe(v float64, maxBuckets int) {
	side := &n.positive
	if v < 0 {
		v, side = -v, &n.negative
	}
	if v <= zeroThreshold {
		n.zero++
		return
	}
	index := bucketIndex(v, n.schema)
	at, found := slices.BinarySearchFunc(*side, index, func(b nativeBucket, i int32) int { return int(b.index - i) })
	if found {
		(*side)[at].count++
		return
	}
	*side = slices.Insert(*side, at, nativeBucket{index, 1})
	for len(n.positive)+len(n.negative) > maxBuckets && n.schema > minSchema {
		n.schema--
		n.positive, n.negative = halve(n.positive), halve(n.negative)
	}
}

// halve joins the buckets two by two, in place.
func halve(buckets []nativeBucket) []nativeBucket {
	joined := buckets[:0]
	for _, b := range buckets {
		b.index = (b.index + 1) >> 1
		if last := len(joined) - 1; last >= 0 && joined[last].index == b.index {
			joined[last].count += b.count
		} else {
			joined = append(joined, b)
		}
	}
	return joined
}

// show puts the buckets into the form in which they are scraped.
func (n *native) show(h *dto.Histogram) {
	schema, zero, threshold := n.schema, n.zero, zeroThreshold
	h.Schema, h.ZeroCount, h.ZeroThreshold = &schema, &zero, &threshold
	h.PositiveSpan, h.PositiveDelta = spans(n.positive)
	h.NegativeSpan, h.NegativeDelta = spans(n.negative)
}

// maxGap is how many empty buckets are written as such rather than begin a new span, as client_golang does.
const maxGap = 2

// spans are runs of buckets, with the counts as differences from one to the next.
func spans(buckets []nativeBucket) (list []*dto.BucketSpan, deltas []int64) {
	var last, next int64 // count of the bucket before; index behind it
	put := func(count int64) {
		*list[len(list)-1].Length++
		deltas = append(deltas, count-last)
		last = count
	}
	for i, b := range buckets {
		gap := int32(int64(b.index) - next)
		if i == 0 || gap > maxGap {
			list = append(list, &dto.BucketSpan{Offset: &gap, Length: new(uint32)})
		} else {
			for range gap {
				put(0)
			}
		}
		put(int64(b.count))
		next = int64(b.index) + 1
	}
	return list, deltas
}
