// Healthcheck asks the Fluent Bit of its own container whether it is healthy: exit code 0 when
// http://127.0.0.1:$HTTP_PORT/api/v1/health answers 200, 1 otherwise, with one line that says why. The official image
// has neither a shell nor curl.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// timeout is below Docker's own of 30 s, so that the reason is seen in its log.
const timeout = 5 * time.Second

func main() {
	if err := check(os.Getenv("HTTP_PORT")); err != nil {
		fmt.Fprintln(os.Stderr, "healthcheck:", err)
		os.Exit(1)
	}
}

// check returns nil when the Fluent Bit that listens on the port of this machine says that it is healthy.
func check(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("HTTP_PORT is %q, must be a port from 1 to 65535, for example HTTP_PORT=2020", port)
	}
	client := http.Client{
		Timeout: timeout,
		// No proxy: it would be asked for its own 127.0.0.1.
		Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a redirect, which is no answer of Fluent Bit's")
		},
	}
	resp, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/api/v1/health")
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // its text repeats the method and the URL
		}
		return fmt.Errorf("no answer from Fluent Bit on port %s: %w", port, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("unhealthy, says Fluent Bit: %s", resp.Status)
	}
	return nil
}
