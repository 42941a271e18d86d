package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"
)

const (
	bindTimeout       = 5 * time.Second // a host name may have to be looked up
	closeTimeout      = time.Second
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute // above the usual scrape interval, so that a scraper keeps its connection
	maxHeaderBytes    = 16 << 10
	maxScrapes        = 8 // at a time; each holds the whole page in memory
)

// server is the listener of one address.
type server struct {
	address   string
	webConfig string
	listener  net.Listener
	http      *http.Server
	served    chan struct{} // closed when http has ended
	page      http.Handler  // of /metrics

	mu      sync.RWMutex
	members []*Listener
}

func newServer(address, webConfig string) *server {
	s := &server{address: address, webConfig: webConfig, served: make(chan struct{})}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// What clients do wrong, a failed handshake for one, is theirs to see.
		ErrorLog: slog.NewLogLogger(s.logger().Handler(), slog.LevelDebug),
	}
	s.page = promhttp.HandlerFor(s, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn),
		// One metric that cannot be shown does not take the others with it.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		// Exemplars are shown in OpenMetrics only.
		EnableOpenMetrics: true,
	})
	return s
}

// join makes l a member, unless it clashes with one.
func (s *server) join(l *Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.config.WebConfigFile != s.webConfig {
		return fmt.Errorf("%s: another instance listens there with %s, this one has %s: instances that share an address share its configuration",
			s.address, describeWebConfig(s.webConfig), describeWebConfig(l.config.WebConfigFile))
	}
	for path := range l.config.Handlers {
		if path == metricsPath || path == healthPath {
			return fmt.Errorf("%s: the path %s is the listener's own", s.address, path)
		}
	}
	for _, m := range s.members {
		for path := range l.config.Handlers {
			if m.config.Handlers[path] != nil {
				return fmt.Errorf("%s: the path %s is already served by another instance (%s)", s.address, path, m.config.Owner)
			}
		}
		for _, name := range l.config.Names {
			if slices.Contains(m.config.Names, name) {
				return &NameError{Name: name, Address: s.address, Owner: m.config.Owner}
			}
		}
	}
	l.server = s
	s.members = append(s.members, l)
	return nil
}

// leave tells whether l was the last member. It is false where l was none any more.
func (s *server) leave(l *Listener) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.members, l)
	if i < 0 {
		return false
	}
	s.members = slices.Delete(s.members, i, i+1)
	return len(s.members) == 0
}

// start binds the address and serves it.
func (s *server) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), bindTimeout)
	defer cancel()
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.address); err != nil {
		return err
	}
	if _, port, _ := net.SplitHostPort(s.address); port == "0" {
		s.address = s.listener.Addr().String()
	}
	go func() {
		defer close(s.served)
		if err := web.Serve(s.listener, s.http, &web.FlagConfig{WebConfigFile: &s.webConfig}, s.logger()); !errors.Is(err, http.ErrServerClosed) {
			_ = s.listener.Close() // nobody would answer
			s.logger().Error("no longer listening", "address", s.address, "err", err)
		}
	}()
	return nil
}

// stop ends the listener. It has no members any more.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	// Where stop came before Serve did, nobody else closes it.
	_ = s.listener.Close()
	select {
	case <-s.served:
	case <-time.After(closeTimeout):
	}
}

func describeWebConfig(file string) string {
	if file == "" {
		return "no web configuration file"
	}
	return "the web configuration file " + file
}

// explain says why an address could not be bound, and what to do about it.
func explain(address string, err error) error {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	hint := "choose another address"
	switch number {
	case syscall.EADDRINUSE:
		hint = "stop the program that has the port, or choose another one; instances of one plugin share an address that is written the same way"
	case syscall.EACCES:
		hint = "ports below 1024 need privileges; choose a higher one"
	case syscall.EADDRNOTAVAIL:
		hint = "no interface of this machine has that address"
	}
	return fmt.Errorf("cannot listen on %s: %w (%s)", address, number, hint)
}
