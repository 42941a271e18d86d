package batch

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flbgo/shared/option"
)

// bearerBroker is a broker that takes one token, as Kafka does: what it has against another one comes in two steps.
func bearerBroker(t testing.TB, want *atomic.Pointer[string], extensions string) *kfake.Cluster {
	t.Helper()
	c := broker(t, 1)
	c.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if m := req.(*kmsg.SASLHandshakeRequest).Mechanism; m != mechanismOAuth {
			t.Errorf("mechanism %q", m)
		}
		return res, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		const refusal = `{"status":"invalid_token","scope":"kafka"}`
		switch got := string(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes); got {
		case "n,,\x01auth=Bearer " + *want.Load() + "\x01" + extensions + "\x01":
		case "\x01":
			message := refusal
			res.ErrorCode, res.ErrorMessage = 58, &message
		default:
			if !strings.HasPrefix(got, "n,,\x01auth=Bearer ") || !strings.HasSuffix(got, "\x01\x01") {
				t.Errorf("%q is no message of RFC 7628", got)
			}
			res.SASLAuthBytes = []byte(refusal)
		}
		return res, nil, true
	})
	return c
}

func jwt(exp time.Time) string {
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return encode(`{"alg":"none"}`) + "." + encode(fmt.Sprintf(`{"sub":"me","exp":%d}`, exp.Unix())) + ".c2lnbmF0dXJl"
}

// A token expires, and whoever fetches tokens writes the next one into the file: it is used for the next connection.
// The line that the broker refused the first one says which file to look at, and that the token has expired.
func TestOAuthTokenIsReadAgain(t *testing.T) {
	var want atomic.Pointer[string]
	first, second := jwt(time.Now().Add(-time.Minute)), jwt(time.Now().Add(time.Hour))
	want.Store(&second)
	c := bearerBroker(t, &want, "logicalCluster=lkc-1\x01identityPoolId=pool 1\x01")
	name := file(t, []byte(" "+first+"\n"))
	o, book := output(t, c.ListenAddrs(), "security_protocol", "sasl_plaintext", "sasl_mechanism", "oauthbearer", "sasl_oauthbearer_token_file", name,
		"sasl_oauthbearer_extensions", "logicalCluster=lkc-1,identityPoolId=pool 1", "flush_timeout", "1s")
	turnedAway(t, o, book, mendable, "invalid_token", "see sasl_oauthbearer_token_file "+name+", whose token expired at ")
	write(t, name, []byte("\n"+second+"\n"))
	flush(t, o, chunkOf("b", 10), "app")

	third := jwt(time.Now().Add(2 * time.Hour))
	want.Store(&third)
	write(t, name, []byte(third))
	o.cluster.transport.CloseIdleConnections() // as when the broker ends the session
	flush(t, o, chunkOf("c", 10), "app")
	flush(t, o, chunkOf("a", 10), "app")
	consume(t, c.ListenAddrs()).expect(t, 10, "a", "b", "c")
}

// What the file may hold; no error shows any of it.
func TestTokenFile(t *testing.T) {
	f := func(content, want, wantErr string) {
		t.Helper()
		name := file(t, []byte(content))
		got, err := (&tokenFile{name: name}).read()
		if got != want || wantErr == "" && err != nil || !strings.Contains(fmt.Sprint(err), wantErr) {
			t.Errorf("%.40q: %.40q, %v", content, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%.40q: %v", content, err)
		}
	}
	f("secret", "secret", "")
	f(" \n secret.a-b_c~d+e/f== \r\n", "secret.a-b_c~d+e/f==", "")
	f("", "", "is empty")
	f(" \r\n\t", "", "is empty")
	f("secret token", "", "something else than a bearer token")
	f("secret\x01auth=Bearer other", "", "something else than a bearer token")
	f(`{"access_token":"secret"}`, "", "something else than a bearer token")
	f("Bearer secret", "", "something else than a bearer token")
	f("sécret", "", "something else than a bearer token")
	f(strings.Repeat("s", maxToken), strings.Repeat("s", maxToken), "")
	f(strings.Repeat("s", maxToken+1), "", "more than 65536 bytes")
	for _, name := range []string{"/nowhere", t.TempDir(), "/dev/zero"} {
		if _, err := (&tokenFile{name: name}).read(); err == nil || !strings.Contains(err.Error(), "sasl_oauthbearer_token_file: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Extensions as KIP-342 has them.
func TestOAuthExtensions(t *testing.T) {
	f := func(want string, pairs ...option.Pair) {
		t.Helper()
		if got, err := oauthExtensions(pairs); err != nil || got != want {
			t.Errorf("%v: %q, %v", pairs, got, err)
		}
	}
	f("")
	f("a=\x01", option.Pair{Key: "a"})
	f("a=1\x01B=2=3\x01", option.Pair{Key: "a", Value: "1"}, option.Pair{Key: "B", Value: "2=3"})
}

// A broker may say anything when it refuses.
func TestOAuthRefusals(t *testing.T) {
	f := func(challenge, want string) {
		t.Helper()
		m := &oauthMechanism{token: "secret"}
		x, first, err := m.Start(context.Background())
		if err != nil || string(first) != "n,,\x01auth=Bearer secret\x01\x01" {
			t.Fatalf("%q, %v", first, err)
		}
		done, answer, err := x.Next(context.Background(), []byte(challenge))
		if want == "" {
			if !done || err != nil {
				t.Errorf("%q: %v, %v", challenge, done, err)
			}
			return
		}
		if done || string(answer) != "\x01" || err != nil {
			t.Errorf("%q: %v, %q, %v", challenge, done, answer, err)
		}
		// A broker that then takes the token all the same is not to be believed.
		if done, _, err = x.Next(context.Background(), nil); done || err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v", challenge, done, err)
		}
	}
	f("", "")
	f("nonsense", "the broker refuses the token")
	f(`{"status":5}`, "the broker refuses the token")
	f(`{"status":"invalid_token","scope":"x"}`, `the broker refuses the token: status "invalid_token", scope "x"`)
	f(`{"status":"`+strings.Repeat("x", 1000)+`"}`, `the broker refuses the token: status "`+strings.Repeat("x", 100)+`", scope ""`)
}

// Only a JWT tells when it expires; anything else is a token like another.
func TestTokenAge(t *testing.T) {
	f := func(token string, expired bool) {
		t.Helper()
		if got := tokenAge(token); (got != "") != expired {
			t.Errorf("%q: %q", token, got)
		}
	}
	f(jwt(time.Now().Add(-time.Minute)), true)
	f(jwt(time.Now().Add(time.Minute)), false)
	f("", false)
	f("opaque", false)
	f("a.b.c", false)
	f("a.bm9uc2Vuc2U.c", false)
	f("a.e30.c", false)
}

// errors.Is still finds what failed behind the advice.
func TestAdviceKeepsTheCause(t *testing.T) {
	a := &authenticator{mechanism: mechanismPlain, secret: "hunter2"}
	err := a.failed(fmt.Errorf("hunter2: %w", errTimeout))
	if !errors.Is(err, errTimeout) || classifyError(err) != failOperator || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
