//go:build race

package fieldmetrics

const raceDetector = true
