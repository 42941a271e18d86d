package confcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is one thing that every pipeline must do so that nothing is lost.
type Rule struct {
	Name string
	Why  string // what is lost otherwise
	// check reports every place of the file that breaks the rule.
	check func(f *File, bad func(line int, format string, args ...any))
}

// Finding is a broken rule.
type Finding struct {
	File string
	Line int // 1-based; 0 where the file as a whole is meant
	Rule *Rule
	Text string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s: %s)", f.File, f.Line, f.Text, f.Rule.Name, f.Rule.Why)
}

// Check holds a pipeline to all rules. Other files have none.
func Check(f *File) []Finding {
	var found []Finding
	if f.Kind != Pipeline {
		return nil
	}
	for i := range Rules {
		r := &Rules[i]
		r.check(f, func(line int, format string, args ...any) {
			found = append(found, Finding{f.Path, line, r, fmt.Sprintf(format, args...)})
		})
	}
	return found
}

// Rules are all rules, in the order of conf/README.md.
var Rules = []Rule{
	{"known plugins", "what a plugin loses must be known before it is shipped", knownPlugins},
	{"retry without end", "the default of 1 drops a chunk at its second failure", retryForever},
	{"dead letters", "a record that the brokers refuse for its own fault is dropped", deadLetters},
	{"kafka metrics", "what becomes of records on their way to Kafka cannot be seen; an address that two plugins want stops the start", kafkaMetrics},
	{"workers", "without workers a flush stops every input; fewer than chunks per second × time of an answer fall behind", outputs("kafka_batch", "workers", "8")},
	{"metrics once", "a chunk that is tried again is counted again; two workers of one instance race for the same series", metricsOnce},
	{"retry soon", "the default cap is 2,000 s of silence after Kafka is back", retrySoon},
	{"on disk", "chunks in memory end with the process", onDisk},
	{"pause", "without it the disk fills until the host drops what it reads", pause},
	{"chunks", "hosts before 4.0 have 2,048 tasks; the default of 128 chunks is for few tags", chunks},
	{"disk limit", "at storage.total_limit_size the host deletes the oldest chunks: the inputs must have paused before", diskLimit},
	{"backlog", "chunks of an earlier run that are not taken up do not count for the pause: every restart without Kafka comes nearer to the disk limit, and then the oldest are deleted", backlog},
	{"second output", "a chunk that only one output still wants is taken out of memory between its tries, and then does not count for the pause (2.0 and later)", secondOutput},
	{"grace", "a flush longer than Grace holds the stop up, and what was acknowledged meanwhile is sent again", grace},
	{"flush", "a file's lines wait as long; without a tail, every Flush begins a chunk and chunks are what is limited", flush},
	{"no daemon", "Go does not survive the fork", noDaemon},
	{"no hot reload", "2.2 to 5.1.1 free what the workers of a Go output still use; and by default inputs stay paused until no output retries", noHotReload},
	{"tail offsets", "without a DB of its own every restart reads all again or nothing", tailOffsets},
	{"tail lines", "by default a file is not followed any further after a line of more than 32 KB", tailLines},
	{"tail keys", "copies of a record are known by the file and offset it came from", tailKeys},
	{"tail rotation", "a file that was renamed while the host was down is found only if Path takes it in; one that is let go of too early is read again", tailRotation},
	{"tail names", "an inode is used again: a new file would begin at the offset of one that was deleted (3.0.3 and later)", tailNames},
	{"multiline", "an event that is put together in memory is lost with the process after its offset was saved", multiline},
	{"forward", "with several workers a message is acknowledged before it is on disk; one larger than the buffer is refused for ever", forward},
}

// each calls fn for the sections with a plugin's name.
func each(sections []Section, name string, fn func(s *Section)) {
	for i := range sections {
		if sections[i].Name == name {
			fn(&sections[i])
		}
	}
}

// outputs is a rule by which every output of a plugin has a setting of one value.
func outputs(name, key, value string) func(*File, func(int, string, ...any)) {
	return func(f *File, bad func(int, string, ...any)) {
		each(f.Outputs, name, func(s *Section) {
			if !s.Is(key, value) {
				bad(s.Line, "%s needs %s %s", name, key, value)
			}
		})
	}
}

// retryForever is for whatever keeps records.
func retryForever(f *File, bad func(int, string, ...any)) {
	for _, name := range []string{"kafka_batch", "es", "loki"} {
		each(f.Outputs, name, func(s *Section) {
			// Fluent Bit has three names for it. The project's own files use the one that says what it is.
			if !s.Is("retry_limit", "no_limits") && (f.users == nil || !s.Is("retry_limit", "false") && !s.Is("retry_limit", "off")) {
				bad(s.Line, "%s needs retry_limit no_limits", name)
			}
		})
	}
}

func knownPlugins(f *File, bad func(int, string, ...any)) {
	for _, l := range []struct {
		sections []Section
		known    []string
	}{
		{f.Inputs, []string{"tail", "forward", "http", "kafka"}},
		{f.Filters, []string{"enrich", "kubernetes", "parser", "multiline", "nest", "record_modifier", "modify", "grep", "lua"}},
		{f.Outputs, []string{"kafka_batch", "field_metrics", "es", "loki"}},
	} {
		for _, s := range l.sections {
			if !slices.Contains(l.known, s.Name) {
				bad(s.Line, "%s has no rules here, add them; known are %s", s.Name, strings.Join(l.known, ", "))
			}
		}
	}
}

// deadLetters: a name of its own, made of the topic's where that is a variable.
func deadLetters(f *File, bad func(int, string, ...any)) {
	each(f.Outputs, "kafka_batch", func(s *Section) {
		topics, _ := s.Get("topics")
		if v, _ := s.Get("dead_letter_topic"); v == "" || slices.Contains(list(topics), v) {
			bad(s.Line, "kafka_batch needs a dead_letter_topic that is none of its topics")
		}
	})
}

// kafkaMetrics: plugins are programs of their own and cannot share a port, as instances of one can.
func kafkaMetrics(f *File, bad func(int, string, ...any)) {
	used := map[string]bool{"127.0.0.1:2021": true} // field_metrics' default
	each(f.Outputs, "field_metrics", func(s *Section) {
		v, _ := s.Get("listen")
		used[v] = true
	})
	each(f.Outputs, "kafka_batch", func(s *Section) {
		v, _ := s.Get("listen")
		if v == "" || v == "off" || used[v] {
			bad(s.Line, "kafka_batch needs a listen that is not field_metrics'")
		}
	})
}

func metricsOnce(f *File, bad func(int, string, ...any)) {
	outputs("field_metrics", "workers", "1")(f, bad)
	outputs("field_metrics", "retry_limit", "no_retries")(f, bad)
}

func retrySoon(f *File, bad func(int, string, ...any)) {
	for _, want := range [][2]string{{"scheduler.base", "1"}, {"scheduler.cap", "10"}} {
		if !f.Service.Is(want[0], want[1]) {
			bad(f.Service.Line, "the service needs %s %s", want[0], want[1])
		}
	}
}

func onDisk(f *File, bad func(int, string, ...any)) {
	if v, _ := f.Service.Get("storage.path"); v == "" {
		bad(f.Service.Line, "the service needs storage.path")
	}
	inherited := f.Service.On("storage.inherit") && f.Service.Is("storage.type", "filesystem") // 4.1 and later
	for _, s := range f.Inputs {
		if _, own := s.Get("storage.type"); !s.Is("storage.type", "filesystem") && (own || !inherited) {
			bad(s.Line, "%s needs storage.type filesystem", s.Name)
		}
	}
}

func pause(f *File, bad func(int, string, ...any)) {
	for _, s := range f.Inputs {
		if !s.On("storage.pause_on_chunks_overlimit") {
			bad(s.Line, "%s needs storage.pause_on_chunks_overlimit On", s.Name)
		}
	}
}

func chunks(f *File, bad func(int, string, ...any)) {
	if n := f.Service.Number("storage.max_chunks_up"); n < 1 || n > 2000 {
		bad(f.Service.Line, "the service needs storage.max_chunks_up from 1 to 2000")
	}
}

func diskLimit(f *File, bad func(int, string, ...any)) {
	need := max(0, f.Service.Number("storage.max_chunks_up")) * chunkSize * 3 / 2
	each(f.Outputs, "kafka_batch", func(s *Section) {
		if s.Size("storage.total_limit_size") < max(need, 1) {
			bad(s.Line, "kafka_batch needs storage.total_limit_size of at least %d: storage.max_chunks_up × 2 MB and half as much again", need)
		}
	})
}

func backlog(f *File, bad func(int, string, ...any)) {
	need := max(0, f.Service.Number("storage.max_chunks_up")) * chunkSize
	if f.Service.Size("storage.backlog.mem_limit") < max(need, 1) {
		bad(f.Service.Line, "the service needs storage.backlog.mem_limit of at least %d: storage.max_chunks_up × 2 MB", need)
	}
}

func secondOutput(f *File, bad func(int, string, ...any)) {
	for i, s := range f.Outputs {
		if s.Name != "kafka_batch" {
			continue
		}
		match, _ := s.Get("match")
		if !slices.ContainsFunc(slices.Concat(f.Outputs[:i], f.Outputs[i+1:]), func(o Section) bool {
			return o.Is("match", "*") || match != "" && o.Is("match", match)
		}) {
			bad(s.Line, "kafka_batch needs another output beside it with Match %s", match)
		}
	}
}

func grace(f *File, bad func(int, string, ...any)) {
	grace := time.Duration(f.Service.Number("grace")) * time.Second
	each(f.Outputs, "kafka_batch", func(s *Section) {
		if t := s.FlushTimeout(); t <= 0 || t >= grace {
			bad(s.Line, "kafka_batch needs a flush_timeout below the service's grace")
		}
	})
}

func flush(f *File, bad func(int, string, ...any)) {
	tails := 0
	each(f.Inputs, "tail", func(*Section) { tails++ })
	switch n := f.Service.Number("flush"); {
	case tails > 0 && !f.Service.Is("flush", "0.2"):
		bad(f.Service.Line, "a service with a tail needs flush 0.2")
	case tails == 0 && (n < 1 || n > 5):
		bad(f.Service.Line, "a service without a tail needs flush from 1 to 5")
	}
}

func noDaemon(f *File, bad func(int, string, ...any)) {
	if _, ok := f.Service.Get("daemon"); ok && !f.Service.Off("daemon") {
		bad(f.Service.Line, "the service must not be a daemon")
	}
}

func noHotReload(f *File, bad func(int, string, ...any)) {
	for _, key := range []string{"hot_reload", "hot_reload.ensure_thread_safety"} {
		if !f.Service.Off(key) {
			bad(f.Service.Line, "the service needs %s off", key)
		}
	}
}
