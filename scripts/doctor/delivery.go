package main

import (
	"slices"
	"strings"

	"flbgo/scripts/internal/confcheck"
)

// sharedRules are those that the project's own files are held to and that hold for every pipeline with kafka_batch.
var sharedRules = map[string]level{
	"retry without end": loss,
	"on disk":           loss,
	"pause":             loss,
	"second output":     loss,
	"multiline":         loss,
	"no daemon":         wrong,
	"dead letters":      advice,
	"kafka metrics":     advice,
	"metrics once":      advice,
	"retry soon":        advice,
	"tail keys":         advice,
	"tail rotation":     advice,
	"backlog":           advice,
}

// decisive are settings of the core that the checks below look at.
var decisive = []string{"storage.", "retry_limit", "workers", "match", "daemon", "hot_reload", "grace"}

// putInVariables gives all settings the values that they have in this environment. Of a variable that is not set here
// nothing is known: that is said of settings that decide.
func putInVariables(found *findings) {
	f := found.file
	sections := []*confcheck.Section{&f.Service}
	for _, list := range [][]confcheck.Section{f.Inputs, f.Filters, f.Outputs} {
		for i := range list {
			sections = append(sections, &list[i])
		}
	}
	for _, s := range sections {
		for i := range s.Props {
			p := &s.Props[i]
			value, unset := f.Expand(p.Value)
			if len(unset) == 0 {
				p.Value = value
			} else if isCore(decisive, p.Key) && p.Key != "storage.path" {
				found.add(advice, s, p.Line, "%s is not set here: what is said of %s may not be so where it is", unset[0], p.Key)
			}
		}
	}
}

// checkDelivery looks for ways to lose lines on the way to a kafka_batch.
func checkDelivery(found *findings) {
	f := found.file
	ours := slices.ContainsFunc(slices.Concat(f.Filters, f.Outputs), func(s confcheck.Section) bool { _, ok := plugins[s.Name]; return ok })
	if ours && (f.Service.Is("hot_reload", "on") || f.Service.Is("hot_reload", "true")) {
		found.add(wrong, &f.Service, lineOf(&f.Service, "hot_reload"), "the service must not have Hot_Reload On: 2.2 to 5.1.1 crash when outputs with workers are reloaded; restart instead")
	}
	if !slices.ContainsFunc(f.Outputs, func(s confcheck.Section) bool { return s.Name == "kafka_batch" }) {
		return
	}
	checkRules(found)
	for i := range f.Outputs {
		if s := &f.Outputs[i]; s.Name == "kafka_batch" {
			checkKafkaBatch(found, s)
		}
	}
	checkTails(found)
}

// checkRules holds the file to those rules. What breaks one rule in one section is one finding.
func checkRules(found *findings) {
	all := confcheck.Check(found.file)
	for i := 0; i < len(all); {
		first, texts := all[i], []string{}
		for ; i < len(all) && all[i].Rule == first.Rule && all[i].Line == first.Line; i++ {
			texts = append(texts, all[i].Text)
		}
		l, ok := sharedRules[first.Rule.Name]
		if _, limited := found.file.Service.Get("storage.max_chunks_up"); !ok || first.Rule.Name == "backlog" && !limited {
			continue
		}
		found.add(l, sectionAt(found.file, first.Line), first.Line, "%s: %s", strings.Join(texts, ", "), first.Rule.Why)
	}
}

// sectionAt is the section that begins in a line; of several, in files that are included, the first.
func sectionAt(f *confcheck.File, line int) *confcheck.Section {
	for _, sections := range [][]confcheck.Section{f.Inputs, f.Filters, f.Outputs} {
		for i := range sections {
			if sections[i].Line == line {
				return &sections[i]
			}
		}
	}
	return &f.Service
}

func checkKafkaBatch(found *findings, s *confcheck.Section) {
	service := &found.file.Service
	if n := s.Number("workers"); n < 1 {
		found.add(loss, s, lineOf(s, "workers"), "kafka_batch needs Workers, for example 8: without them a flush stops every input while it waits for Kafka")
	} else if n < 2 {
		found.add(advice, s, lineOf(s, "workers"), "kafka_batch has one worker: fewer than chunks per second × time of an answer fall behind; 8 are a good start")
	}
	chunks := service.Number("storage.max_chunks_up")
	if chunks < 0 {
		chunks = 128 // Fluent Bit's default
	}
	const chunkSize = 2_048_000
	if limit := s.Size("storage.total_limit_size"); limit >= 0 && limit < chunks*chunkSize*3/2 {
		found.add(loss, s, lineOf(s, "storage.total_limit_size"), "kafka_batch: at storage.total_limit_size the oldest chunks are deleted; inputs pause only at storage.max_chunks_up × 2 MB, so it needs half as much again, %dM", chunks*chunkSize*3/2/1_000_000+1)
	}
	grace := service.Number("grace")
	if grace < 0 {
		grace = 5 // Fluent Bit's default
	}
	if t := s.FlushTimeout(); t.Seconds() >= float64(grace) {
		found.add(advice, s, lineOf(s, "flush_timeout"), "kafka_batch: flush_timeout %v is not below the service's Grace of %d s: a stop waits for flushes, and what was acknowledged meanwhile is sent again", t, grace)
	}
}

// checkTails: the shipped files have more to keep; this is what costs lines.
func checkTails(found *findings) {
	used := map[string]bool{}
	for i := range found.file.Inputs {
		s := &found.file.Inputs[i]
		if s.Name != "tail" {
			continue
		}
		db, _ := s.Get("db")
		switch {
		case db == "":
			found.add(loss, s, s.Line, "tail needs a DB: without one every restart reads everything again, or nothing")
		case used[db]:
			found.add(loss, s, lineOf(s, "db"), "tail needs a DB of its own, %s is another's", db)
		}
		used[db] = true
		if !s.On("skip_long_lines") {
			found.add(loss, s, lineOf(s, "skip_long_lines"), "tail needs Skip_Long_Lines On, and Buffer_Max_Size 1M: a file is not followed any further after a line longer than the buffer, 32 KB by default")
		}
	}
}
