package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/realkafka"
)

// accessFaults: Kafka is there and does not take what this client sends, or is not there yet. All of it is somebody's to
// mend on the brokers alone: nothing is changed at Fluent Bit, which is not started again.
var accessFaults = []Fault{{
	Name: "unreachable-at-start", Group: 5, Short: true,
	Title: "no broker for the first 60 s",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		c, err := r.anyKafka(ctx)
		if err != nil {
			return err
		}
		if err := r.Begin(ctx, Setup{Cluster: c, NoHost: true, Changes: room.Changes}); err != nil {
			return err
		}
		if err := errors.Join(r.KillBroker(), r.StartHost()); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 51, Streams: oneLine}, func(ctx context.Context) error {
			if err := r.denied(ctx, 60*time.Second, "no Kafka broker can be reached"); err != nil {
				return err
			}
			return r.allowed(ctx, r.StartBroker(ctx))
		})
	},
}, {
	Name: "topic-missing", Group: 5, Short: true,
	Title: "the topic is missing for 30 s, and then created",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		c, err := r.anyKafka(ctx)
		if err != nil {
			return err
		}
		if err := r.Begin(ctx, Setup{Cluster: c, Later: true, Changes: room.Changes}); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 52, Streams: oneLine}, func(ctx context.Context) error {
			if err := r.denied(ctx, 30*time.Second, "topic "+r.Topic+" cannot be written to"); err != nil {
				return err
			}
			return r.allowed(ctx, r.CreateTopics(ctx))
		})
	},
}, {
	Name: "credentials", Group: 5, Short: true, Needs: []Need{realKafka},
	Title: "the broker has another password at start and, for sessions that end after 5 s, once more later; then the right one",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		u, err := r.beginAsUser(ctx, "listener.name.sasl.scram-sha-256.connections.max.reauth.ms=5000")
		if err != nil {
			return err
		}
		if err := errors.Join(u.password(ctx, "another"), u.allow(ctx), r.StartHost()); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 53, Streams: oneLine}, func(ctx context.Context) error {
			for i, d := range []time.Duration{30 * time.Second, 20 * time.Second} {
				if i > 0 {
					if err := u.password(ctx, "another"); err != nil {
						return err
					}
				}
				if err := r.denied(ctx, d, "SASL"); err != nil {
					return err
				}
				if err := r.allowed(ctx, u.password(ctx, userPassword)); err != nil {
					return err
				}
				if err := r.recovered(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	},
}, {
	Name: "acl", Group: 5, Short: true, Needs: []Need{realKafka},
	Title: "the ACL that lets it write withdrawn, twice, and given back",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		u, err := r.beginAsUser(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(u.password(ctx, userPassword), u.allow(ctx), r.StartHost()); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 54, Streams: oneLine}, func(ctx context.Context) error {
			for _, d := range []time.Duration{10 * time.Second, 30 * time.Second} {
				if err := u.disallow(ctx); err != nil {
					return err
				}
				if err := r.denied(ctx, d, "Authorization Failed"); err != nil {
					return err
				}
				if err := r.allowed(ctx, u.allow(ctx)); err != nil {
					return err
				}
				if err := r.recovered(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	},
}}

// deniedShort is how long the short form is denied something.
const deniedShort = 8 * time.Second

// denied lets the time pass in which nothing is taken, and holds /healthz to say why by its end.
func (r *Run) denied(ctx context.Context, lasts time.Duration, why string) error {
	end := time.Now().Add(r.long(deniedShort, lasts))
	if r.Output == builtIn {
		return sleep(ctx, time.Until(end))
	}
	said := ""
	for began := time.Now(); ; {
		code, text, err := r.healthz(ctx)
		if err != nil {
			text = err.Error()
		}
		if code == http.StatusServiceUnavailable && strings.Contains(text, why) {
			r.Note("/healthz said so after %.1f s", time.Since(began).Seconds())
			break
		}
		said = text
		if time.Now().After(end) {
			r.Fail("/healthz does not say %q but %d %q", why, code, said)
			break
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return sleep(ctx, time.Until(end))
}

// allowed notes the mending, whose error it passes on, and holds /healthz to be well soon.
func (r *Run) allowed(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	r.Mended()
	if r.Output == builtIn {
		return nil
	}
	const soon = 15 * time.Second
	for began := time.Now(); ; {
		code, text, err := r.healthz(ctx)
		if err == nil && code == http.StatusOK {
			return nil
		}
		if time.Since(began) > soon {
			r.Fail("%v after the mending /healthz says %d %q (%v)", soon, code, text, err)
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// recovered waits until everything has arrived that was written before the last mending, or for a minute: what breaks again
// sooner holds up what is on its way, which is then no measure of this mending.
func (r *Run) recovered(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		r.mu.Lock()
		left := len(r.mendings)
		r.mu.Unlock()
		if left == 0 {
			break
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// healthz is what kafka_batch says of itself.
func (r *Run) healthz(ctx context.Context) (code int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Kafka+"/healthz", nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := scraper.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, strings.TrimSpace(string(b)), err
}

// user is who kafka_batch is to a real Kafka that asks.
type user struct {
	admin *kadm.Client
	topic string // and those whose names begin with it
}

const (
	userName     = "fluent-bit"
	userPassword = "right-horse"
)

// beginAsUser begins a run whose kafka_batch authenticates; Fluent Bit is not started.
func (r *Run) beginAsUser(ctx context.Context, properties ...string) (*user, error) {
	c, err := r.kafka(ctx, 1, properties...)
	if err != nil {
		return nil, err
	}
	if err := r.Begin(ctx, Setup{Cluster: c, NoHost: true, Changes: append([][2]string{asUser(c)}, room.Changes...)}); err != nil {
		return nil, err
	}
	admin, err := c.Admin()
	return &user{admin, r.Topic}, err
}

// asUser is the change to a configuration.
func asUser(c *realkafka.Cluster) [2]string {
	return [2]string{`(?m)^    Brokers .*$`, fmt.Sprintf("    Brokers %s\n    Security_Protocol sasl_plaintext\n    SASL_Mechanism SCRAM-SHA-256\n    SASL_Username %s\n    SASL_Password %s",
		strings.Join(c.Secured, ","), userName, userPassword)}
}

// password sets the one that the broker has.
func (u *user) password(ctx context.Context, password string) error {
	done, err := u.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: userName, Mechanism: kadm.ScramSha256, Iterations: 4096, Password: password}})
	if err != nil {
		return err
	}
	return done[userName].Err
}

func (u *user) acl() *kadm.ACLBuilder {
	return kadm.NewACLs().Allow("User:"+userName).AllowHosts("*").Topics(u.topic).ResourcePatternType(kadm.ACLPatternPrefixed).
		Operations(kadm.OpWrite, kadm.OpDescribe)
}

// allow lets the user write.
func (u *user) allow(ctx context.Context) error {
	done, err := u.admin.CreateACLs(ctx, u.acl())
	for _, d := range done {
		err = errors.Join(err, d.Err)
	}
	return err
}

// disallow takes that back.
func (u *user) disallow(ctx context.Context) error {
	done, err := u.admin.DeleteACLs(ctx, u.acl())
	for _, d := range done {
		err = errors.Join(err, d.Err)
		if len(d.Deleted) == 0 {
			err = errors.Join(err, errors.New("there was no ACL to withdraw"))
		}
	}
	return err
}
