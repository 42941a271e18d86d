// Package listen serves /metrics and /healthz over HTTP, with TLS and authentication as the Prometheus exporters have
// them (exporter-toolkit's web configuration file).
//
// A listener is counted per address: the instances of one plugin in one process may name the same address, and then
// their metrics appear together on one page. It opens with the first instance and closes with the last, so that a host
// which ends all instances before it starts new ones, as Fluent Bit's hot reload does, finds the port free. Plugins are
// separate shared objects with a Go runtime each and cannot share an address with one another.
//
// What an instance serves is named when it joins and leaves with it. Two instances that serve the same metric or the
// same path are an error of the second one.
package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/exporter-toolkit/web"
)

// Off is the address that means no listener.
const Off = "off"

// The paths that every listener has.
const (
	metricsPath = "/metrics"
	healthPath  = "/healthz"
)

// Config is what one instance of a plugin brings to a listener.
type Config struct {
	// Address is host:port. Port 0 takes a free one and is never shared. An empty host is every interface; Off opens
	// nothing.
	Address string
	// WebConfigFile names a web configuration file of the exporter-toolkit; "" is plain HTTP for everybody. Instances
	// that share an address must name the same one.
	WebConfigFile string
	// Owner describes the instance to the user whose next one clashes with it. No secrets.
	Owner string
	// Metrics is gathered by every GET of /metrics, from several goroutines at once; nil for none. Families that several
	// instances have must agree in type and help, and differ in a label.
	Metrics prometheus.Gatherer
	// Names are the names that Metrics takes for this instance alone.
	Names []string
	// Health is asked by every GET of /healthz; an error, which is shown, makes it answer 503. nil is always healthy.
	Health func() error
	// Handlers are further paths; each is matched exactly.
	Handlers map[string]http.Handler
	// Log takes what the listener has to say, for as long as the instance has it open.
	Log *slog.Logger
}

// Listener is one instance's share of a listener. Safe for concurrent use.
type Listener struct {
	config Config
	server *server // nil when Off
}

// NameError says that another instance at the same address serves a metric of that name already.
type NameError struct {
	Name, Address string
	Owner         string // Config.Owner of the other instance
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s is already served at %s by another instance (%s)", e.Name, e.Address, e.Owner)
}

// open holds the listeners of this process by the address that was asked for, or by the one that was got where the port
// was 0. Its lock is held while one closes: whoever asks for the address next finds the port free.
var open = struct {
	sync.Mutex
	servers map[string]*server
}{servers: map[string]*server{}}

// Open joins the listener at the address, or starts it. When it returns without an error, requests are answered. A name
// that clashes is a *NameError.
func Open(c Config) (*Listener, error) {
	if c.Address == Off {
		return &Listener{config: c}, nil
	}
	if err := CheckAddress(c.Address); err != nil {
		return nil, err
	}
	if err := CheckWebConfig(c.WebConfigFile); err != nil {
		return nil, fmt.Errorf("web configuration file %s: %w", c.WebConfigFile, err)
	}
	l := &Listener{config: c}

	open.Lock()
	defer open.Unlock()
	if s := open.servers[c.Address]; s != nil {
		if err := s.join(l); err != nil {
			return nil, err
		}
		return l, nil
	}
	s := newServer(c.Address, c.WebConfigFile)
	if err := s.join(l); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, explain(c.Address, err)
	}
	open.servers[s.address] = s
	return l, nil
}

// Addr is the address that is listened on, with the port that was chosen where 0 was asked for; "" when Off.
func (l *Listener) Addr() string {
	if l.server == nil {
		return ""
	}
	return l.server.listener.Addr().String()
}

// Close takes the instance's metrics and paths away, and with the last instance the listener. Requests that are being
// answered have a second to end; the port is free when it returns. Calls after the first do nothing.
func (l *Listener) Close() {
	if l.server == nil {
		return
	}
	open.Lock()
	defer open.Unlock()
	if last := l.server.leave(l); last {
		delete(open.servers, l.server.address)
		l.server.stop()
	}
}

// CheckAddress says whether Open could take the address, without asking the network.
func CheckAddress(address string) error {
	if address == Off {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if n, perr := strconv.ParseUint(port, 10, 16); err == nil && perr == nil && port == strconv.FormatUint(n, 10) &&
		!strings.ContainsAny(host, " \t/@") {
		return nil
	}
	return errors.New("must be host:port with a port from 0 (any free one) to 65535, for example 127.0.0.1:2021, [::1]:2021 or :2021, or off for none")
}

// quoted are the values that YAML errors repeat, a part of a password among them: in backquotes, as the name of an alias
// (a password that begins with *) or as a tag (one that begins with !).
var quoted = regexp.MustCompile("`.*`|'.*'|!.* into ")

// withoutValues is an error of a web configuration file that repeats nothing of what is in it.
func withoutValues(text string) string {
	return quoted.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "!") {
			return "(value) into "
		}
		return "(value)"
	})
}

// CheckWebConfig reads a web configuration file and the certificates it names; "" is right. The error names neither the
// file nor, of what is in it, any value.
func CheckWebConfig(file string) error {
	if file == "" {
		return nil
	}
	err := web.Validate(file)
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path) && path.Path == file:
		return path.Err
	}
	return errors.New(withoutValues(err.Error()))
}
