package fieldmetrics

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxBuckets bounds what one series costs.
const maxBuckets = 200

// presets are lists of bounds by name.
var presets = map[string][]float64{
	"default":      {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	"seconds":      {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	"milliseconds": {1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000},
	"bytes":        {64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20, 1 << 30},
	"ratio":        {.01, .05, .1, .25, .5, .75, .9, .95, .99, 1},
}

func presetNames() []string {
	names := make([]string, 0, len(presets))
	for n := range presets {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

const bucketsAllowed = "buckets are ascending numbers (1,10,100), linear(start,width,n), exponential(start,factor,n), or one of "

// parseBuckets reads the upper bounds of a histogram's buckets. +Inf is not among them.
func parseBuckets(text string) ([]float64, error) {
	allowed := bucketsAllowed + strings.Join(presetNames(), ", ")
	if bounds, ok := presets[strings.TrimSpace(text)]; ok {
		return bounds, nil
	}
	name, args, isCall := strings.Cut(text, "(")
	if !isCall {
		return explicitBuckets(strings.Split(text, ","), allowed)
	}
	args, closed := strings.CutSuffix(strings.TrimSpace(args), ")")
	var start, step float64
	var n int
	list := strings.Split(args, ",")
	name = strings.TrimSpace(name)
	if !closed || len(list) != 3 || name != "linear" && name != "exponential" {
		return nil, fmt.Errorf("%s", allowed)
	}
	var errs [3]error
	start, errs[0] = finite(list[0])
	step, errs[1] = finite(list[1])
	n, errs[2] = strconv.Atoi(strings.TrimSpace(list[2]))
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%q in %s(…) is not a number; %s", strings.TrimSpace(list[i]), name, allowed)
		}
	}
	switch {
	case n < 1 || n > maxBuckets:
		return nil, fmt.Errorf("the number of buckets must be from 1 to %d, not %d, for example: linear(0,10,5)", maxBuckets, n)
	case name == "linear" && step <= 0:
		return nil, fmt.Errorf("the width of linear buckets must be above 0, for example: linear(0,10,5)")
	case name == "exponential" && (step <= 1 || start <= 0):
		return nil, fmt.Errorf("exponential buckets start above 0 and grow by a factor above 1, for example: exponential(1,2,10)")
	}
	bounds := make([]float64, n)
	for i := range bounds {
		if name == "linear" {
			bounds[i] = start + float64(i)*step
		} else {
			bounds[i] = start * math.Pow(step, float64(i))
		}
		if math.IsInf(bounds[i], 0) || i > 0 && bounds[i] <= bounds[i-1] {
			return nil, fmt.Errorf("bucket %d is %v, which does not come after the one before; %s", i+1, bounds[i], allowed)
		}
	}
	return bounds, nil
}

func explicitBuckets(items []string, allowed string) (bounds []float64, err error) {
	if len(items) > maxBuckets {
		return nil, fmt.Errorf("%d are more than the %d that are allowed", len(items), maxBuckets)
	}
	for i, item := range items {
		item = strings.TrimSpace(item)
		f, err := finite(item)
		if err != nil {
			return nil, fmt.Errorf("%q is not a finite number; %s", item, allowed)
		}
		if i > 0 && f <= bounds[i-1] {
			return nil, fmt.Errorf("%s does not come after %s; %s", item, strings.TrimSpace(items[i-1]), allowed)
		}
		bounds = append(bounds, f)
	}
	return bounds, nil
}

func finite(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
		err = strconv.ErrRange
	}
	return f, err
}
