package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// needLogrotate is the program of that name.
var needLogrotate = Need{Name: "logrotate", Missing: func(context.Context, fluentbit.Host) string {
	if _, err := exec.LookPath("logrotate"); err != nil {
		return "it is not installed (Debian package logrotate)"
	}
	return ""
}}

// oftenEnough is between two rotations by logrotate: longer than a file takes to be found (Refresh_Interval 1), since one
// that is gone by then was never there for tail.
const oftenEnough = 1500 * time.Millisecond

// rotateFaults: files are rotated, deleted and cut while lines are written.
var rotateFaults = []Fault{{
	Name: "rotate-rename", Group: 6, Short: true,
	Title: "files renamed and created anew under load, each some 40 times a second",
	// Seen twice in some 9,000 renamings, on 1.8.15; 5.1.1 opens in the same way.
	Class: Always(HostBound("tail looks at a file and opens it by name: another may have it in between").WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		cfg := loggen.Config{Streams: jsonStreams, Seed: 61, RotateEvery: 25, Duration: r.long(8*time.Second, 20*time.Second)}
		if err := r.Write(ctx, cfg); err != nil {
			return err
		}
		if err := r.Written(); err != nil {
			return err
		}
		return r.attributeSwapped(ctx)
	},
}, {
	Name: "rotate-logrotate", Group: 6, Short: true, Needs: []Need{needLogrotate},
	Title: "logrotate under load: size, rotate 7, compress, delaycompress, every 1.5 s",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		return r.rotating(ctx, oftenEnough, "rotate 7\ndelaycompress\nnocreate", loggen.Config{Seed: 62, Reopen: true})
	},
}, {
	Name: "rotate-compressed", Group: 6, Needs: []Need{needLogrotate}, BuiltIn: true,
	Title: "the same without delaycompress: a file is compressed and deleted as soon as it is renamed",
	Class: Always(HostBound("what tail has not read of a file when that is deleted is lost")),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		if err := r.rotating(ctx, oftenEnough, "rotate 1000\nnocreate", loggen.Config{Seed: 63, Reopen: true}); err != nil {
			return err
		}
		return r.attributeByPlace(ctx, map[place]string{archived: "compressed before tail had read it"})
	},
}, {
	Name: "rotate-hasty", Group: 6, Needs: []Need{needLogrotate}, BuiltIn: true,
	Title: "logrotate with delaycompress five times a second: a file is gone before Refresh_Interval finds it",
	// A new file may get the inode of a deleted one, and tail begin at the offset where it was in that, within a line.
	// db.compare_filename is against it, and shipped only where every host that reads the configuration knows it.
	Class: Always(HostBound("a file that is not there for Refresh_Interval is not found; an inode that is used again keeps its offset").WithTorn()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		if err := r.rotating(ctx, 200*time.Millisecond, "rotate 1000\ndelaycompress\nnocreate", loggen.Config{Seed: 66, Reopen: true}); err != nil {
			return err
		}
		return r.attributeByPlace(ctx, map[place]string{archived: "in files that tail had no time to find"})
	},
}, {
	Name: "rotate-copytruncate", Group: 6, Needs: []Need{needLogrotate}, BuiltIn: true,
	Title: "logrotate with copytruncate under load, twice a second",
	Class: Always(HostBound("what is written between the copy and the truncation is nowhere").WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		if err := r.rotating(ctx, 500*time.Millisecond, "rotate 1000\ncopytruncate", loggen.Config{Seed: 64}); err != nil {
			return err
		}
		return r.attributeByPlace(ctx, map[place]string{
			nowhere:  "written between a copy and its truncation",
			archived: "copied, and cut off before tail had read it",
		})
	},
}, {
	Name: "file-deleted", Group: 6, BuiltIn: true,
	Title: "files deleted while they are written and read, every 1.5 s",
	Class: Always(HostBound("what tail has not read of a file when that is deleted is lost")),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		if err := r.repeatedly(ctx, oftenEnough, loggen.Config{Seed: 65, Reopen: true}, func() error {
			for _, stream := range jsonStreams {
				if err := os.Remove(filepath.Join(r.Logs, stream+".log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		return r.attributeByPlace(ctx, map[place]string{nowhere: "in files that were deleted before tail had read them"})
	},
}}

// rotating writes lines while logrotate runs on their files again and again, with more directives than size and compress.
func (r *Run) rotating(ctx context.Context, every time.Duration, more string, cfg loggen.Config) error {
	conf, state := filepath.Join(r.Dir, "logrotate.conf"), filepath.Join(r.Dir, "logrotate.state")
	text := fmt.Sprintf("%s/*.log {\nsize 16k\ncompress\nnodateext\nmissingok\n%s\n}\n", r.Logs, more)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	return r.repeatedly(ctx, every, cfg, func() error {
		out, err := exec.CommandContext(ctx, "logrotate", "--state", state, conf).CombinedOutput()
		if err != nil {
			return fmt.Errorf("logrotate: %w: %s", err, out)
		}
		return nil
	})
}

// repeatedly writes lines and calls do meanwhile.
func (r *Run) repeatedly(ctx context.Context, every time.Duration, cfg loggen.Config, do func() error) error {
	cfg.Streams = jsonStreams
	writing, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.Write(writing, cfg); err != nil {
		return err
	}
	times := 0
	for end := time.Now().Add(r.long(9*time.Second, 30*time.Second)); time.Now().Before(end); times++ {
		if err := sleep(ctx, every); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
	r.Note("%d times", times)
	if err := sleep(ctx, every); err != nil {
		return err
	}
	stop()
	return r.Written()
}
