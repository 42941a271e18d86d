package main

import (
	"context"
	"slices"

	"flbgo/scripts/internal/fluentbit"
)

// Fault is one thing that breaks, and what is promised when it does.
type Fault struct {
	Name  string // for -only and the table: "sigkill"
	Group int    // where the table has it
	Title string // one line for the table
	// Class is what becomes of the lines. It is stated before the run, and the run is held to it.
	Class func(fluentbit.Host) Class
	Short bool // part of the short form, which is for every change
	Alone bool // nothing else runs beside it: it measures what others would disturb
	Needs []Need
	// BuiltIn runs it against Fluent Bit's own kafka output too, in the full form: Run.Output tells which.
	BuiltIn bool
	// Run starts the pipeline (Run.Begin), writes lines, breaks something and mends it. What is on its way when it
	// returns is waited for, and then every line is accounted for. An error fails the run, as Run.Fail does.
	Run func(ctx context.Context, r *Run) error
}

// Need is what a fault takes besides a Fluent Bit and devkafka.
type Need struct {
	Name string // "hot reload"
	// Missing is why it is not there, "" where it is. A fault with a need that is not met is skipped, and said to be.
	Missing func(ctx context.Context, h fluentbit.Host) string
}

// suite is all there is, in the order of the table.
func suite() []Fault {
	return slices.Concat(
		killFaults,
		stopFaults,
		kafkaStopFaults,
		brokerFaults,
		kafkaFaults,
		groupFaults,
		networkFaults,
		accessFaults,
		rotateFaults,
		poisonFaults,
		damageFaults,
		clockFaults,
		diskFaults,
		gatewayFaults,
		soakFaults,
	)
}

// Class is a promise.
type Class struct {
	Loss string `json:"loss"` // one of the three below
	Why  string `json:"why,omitempty"`
	// Copies says that lines may be twice in Kafka, with equal record_ids. Where it is false the idempotent producer
	// promises that none is.
	Copies bool `json:"copies"`
	// Torn says that the host may cut messages: those, and the rest of them that arrives by itself, are counted.
	Torn bool `json:"torn,omitempty"`
}

// What Class.Loss may be.
const (
	noneLost       = "none lost"
	hostBound      = "bounded by Fluent Bit"
	refusedByLimit = "refused by a limit"
)

// NoneLost asserts that every line arrives, once.
var NoneLost = Class{Loss: noneLost}

// HostBound is for what the host itself cannot promise: what is lost is measured, and put down to why.
func HostBound(why string) Class { return Class{Loss: hostBound, Why: why} }

// RefusedByLimit is for lines that a limit, named in why, refuses: what is lost must be what Run.Refused counted.
func RefusedByLimit(why string) Class { return Class{Loss: refusedByLimit, Why: why} }

// WithCopies is the same, and lines may arrive again with the same record_id.
func (c Class) WithCopies() Class { c.Copies = true; return c }

// WithTorn is the same, and the host may cut messages.
func (c Class) WithTorn() Class { c.Torn = true; return c }

// Always is a class that no host changes.
func Always(c Class) func(fluentbit.Host) Class {
	return func(fluentbit.Host) Class { return c }
}
