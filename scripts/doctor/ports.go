package main

import (
	"net"

	"flbgo/scripts/internal/confcheck"
)

// listener is one address that something in the configuration listens at.
type listener struct {
	s    *confcheck.Section
	line int
	who  string // instances of one plugin of the project's share an address
	as   string // of kafka_batch: its client_id, which then has to be another
	host string
}

// everywhere tells whether an address is all of the machine's. A name may be any of them.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return ip == nil || ip.IsUnspecified()
}

// defaultPorts are of Fluent Bit's own plugins that listen.
var defaultPorts = map[string]string{
	"forward": "24224", "http": "9880", "tcp": "5170", "udp": "5170", "syslog": "5140", "opentelemetry": "4318", "elasticsearch": "9200",
	"splunk": "8088", "prometheus_remote_write": "8080", "mqtt": "1883", "statsd": "8125", "collectd": "25826",
	"prometheus_exporter": "2021",
}

// datagrams have port numbers of their own.
var datagrams = map[string]bool{"udp": true, "statsd": true, "collectd": true}

// checkPorts looks for two that want one port of one address, or of all.
func checkPorts(found *findings) {
	f := found.file
	taken := map[string][]listener{}
	claim := func(l listener, address string) {
		address, unset := f.Expand(address)
		host, port, err := net.SplitHostPort(address)
		if err != nil || len(unset) > 0 || port == "0" {
			return
		}
		if datagrams[l.s.Name] {
			port += "/udp"
		}
		l.host = host
		for _, other := range taken[port] {
			shared := other.who == l.who && plugins[l.s.Name].check != nil
			if shared && l.as != "" && l.as == other.as {
				found.add(wrong, l.s, l.line, "%s and another (line %d) share port %s and client_id %s: give each a client_id of its own, or another listen", l.who, other.line, port, l.as)
				return
			}
			if !shared && (host == other.host || everywhere(host) || everywhere(other.host)) {
				found.add(wrong, l.s, l.line, "%s and %s (line %d) both listen at port %s", l.who, other.who, other.line, port)
				return
			}
		}
		taken[port] = append(taken[port], l)
	}
	if f.Service.On("http_server") {
		host, port := "0.0.0.0", "2020"
		if v, ok := f.Service.Get("http_port"); ok {
			port = v
		}
		if v, ok := f.Service.Get("http_listen"); ok {
			host = v
		}
		claim(listener{s: &f.Service, line: lineOf(&f.Service, "http_server"), who: "the service's HTTP_Server"}, net.JoinHostPort(host, port))
	}
	for _, sections := range [][]confcheck.Section{f.Inputs, f.Filters, f.Outputs} {
		for i := range sections {
			s := &sections[i]
			l := listener{s: s, line: s.Line, who: s.Name}
			if p, ok := plugins[s.Name]; ok {
				address, set := s.Get("listen")
				if s.Name == "kafka_batch" {
					l.as = "fluent-bit"
					if id, set := s.Get("client_id"); set {
						l.as, _ = f.Expand(id)
					}
				}
				if l.line = lineOf(s, "listen"); !set {
					for _, o := range p.table {
						if o.Name == "listen" {
							address = o.Default
						}
					}
				}
				claim(l, address)
				continue
			}
			port, ok := defaultPorts[s.Name]
			if !ok || s.Name == "syslog" && !s.Is("mode", "tcp") && !s.Is("mode", "udp") {
				continue
			}
			if v, set := s.Get("port"); set {
				port, l.line = v, lineOf(s, "port")
			}
			host := "0.0.0.0"
			for _, key := range []string{"listen", "host"} { // inputs have the one, prometheus_exporter the other
				if v, set := s.Get(key); set {
					host = v
				}
			}
			claim(l, net.JoinHostPort(host, port))
		}
	}
}
