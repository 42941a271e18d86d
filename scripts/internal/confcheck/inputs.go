package confcheck

import "strings"

// archives are the names that rotation gives to what it has compressed.
var archives = []string{"*.gz", "*.bz2", "*.xz", "*.zst", "*.zip"}

func tailOffsets(f *File, bad func(int, string, ...any)) {
	used := map[string]bool{}
	each(f.Inputs, "tail", func(s *Section) {
		db, _ := s.Get("db")
		switch {
		case db == "":
			bad(s.Line, "tail needs a DB")
		case used[db]:
			bad(s.Line, "tail needs a DB of its own, %s is another's", db)
		}
		used[db] = true
		if !s.On("read_from_head") {
			bad(s.Line, "tail needs read_from_head On")
		}
	})
}

func tailLines(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "tail", func(s *Section) {
		if !s.Is("buffer_max_size", "1M") {
			bad(s.Line, "tail needs buffer_max_size 1M")
		}
		if !s.On("skip_long_lines") && !s.Off("skip_long_lines") {
			bad(s.Line, "tail needs skip_long_lines stated")
		}
	})
}

func tailKeys(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "tail", func(s *Section) {
		for _, key := range []string{"path_key", "offset_key"} {
			if v, _ := s.Get(key); v == "" {
				bad(s.Line, "tail needs %s", key)
			}
		}
	})
}

func tailRotation(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "tail", func(s *Section) {
		paths, _ := s.Get("path")
		for _, p := range list(paths) {
			if !strings.HasSuffix(p, "*") {
				bad(s.Line, "tail needs a path that takes in rotated files, such as %s*", p)
			}
		}
		exclude, _ := s.Get("exclude_path")
		excluded := map[string]bool{}
		for _, p := range list(exclude) {
			excluded[p] = true
		}
		for _, p := range archives {
			if !excluded[p] {
				bad(s.Line, "tail needs %s in exclude_path", p)
			}
		}
		if s.Number("rotate_wait") < 24*60*60 {
			bad(s.Line, "tail needs a rotate_wait of a day at least")
		}
	})
}

// tailNames: the setting is an error on hosts that do not know it, and classic files are for these too.
func tailNames(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "tail", func(s *Section) {
		_, set := s.Get("db.compare_filename")
		switch {
		case f.YAML && !s.On("db.compare_filename"):
			bad(s.Line, "tail needs db.compare_filename on")
		case !f.YAML && set:
			bad(s.Line, "tail must not set db.compare_filename: 1.8 does not start with it")
		}
	})
}

func multiline(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "tail", func(s *Section) {
		for _, key := range []string{"multiline", "multiline.parser", "docker_mode"} {
			if _, ok := s.Get(key); ok && !s.Off(key) {
				bad(s.Line, "tail must not put lines together (%s): the multiline filter does, with Buffer Off", key)
			}
		}
	})
	each(f.Filters, "multiline", func(s *Section) {
		if !s.Off("buffer") {
			bad(s.Line, "multiline needs buffer off")
		}
	})
}

func forward(f *File, bad func(int, string, ...any)) {
	each(f.Inputs, "forward", func(s *Section) {
		if v, ok := s.Get("workers"); ok && v != "1" {
			bad(s.Line, "forward must not have workers")
		}
		// A sender's chunk is up to 2 MB and what made it so, which is up to 1 MB of a file as it was read, and more as
		// it is sent.
		if s.Size("buffer_max_size") < 6_000_000 {
			bad(s.Line, "forward needs a buffer_max_size of 6M at least")
		}
	})
}
