package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	// A proxy of the environment must not be asked.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, closed, _ := net.SplitHostPort(l.Addr().String())
	l.Close()

	f := func(port string, answer int, want string) {
		t.Helper()
		status = answer
		err := check(port)
		switch {
		case want == "" && err != nil:
			t.Errorf("port %q, answer %d: %v", port, answer, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("port %q, answer %d: %v does not say %q", port, answer, err, want)
		}
	}
	f(u.Port(), http.StatusOK, "")
	f(u.Port(), http.StatusInternalServerError, "unhealthy, says Fluent Bit: 500")
	f(u.Port(), http.StatusFound, "a redirect")
	f(closed, 0, "no answer from Fluent Bit on port "+closed)
	f("", 0, "HTTP_PORT is \"\"")
	f("0", 0, "for example HTTP_PORT=2020")
	f("2020/../x", 0, "HTTP_PORT")
}
