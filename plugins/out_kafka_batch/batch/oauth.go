package batch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go/sasl"

	"flbgo/shared/option"
)

// maxToken is far above any that a broker takes.
const maxToken = 64 << 10

// tokenFile is where OAUTHBEARER's bearer token is. Somebody else writes it, and writes it again before the token expires.
type tokenFile struct {
	name       string
	extensions string // as they go into the first message
}

// read returns the token as it is now. Its errors hold nothing of the content.
func (f *tokenFile) read() (string, error) {
	text, err := readFile(f.name, maxToken)
	if err != nil {
		return "", fmt.Errorf("sasl_oauthbearer_token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case token == "":
		return "", fmt.Errorf("sasl_oauthbearer_token_file %s is empty", f.name)
	case !isBearerToken(token):
		return "", fmt.Errorf("sasl_oauthbearer_token_file %s has something else than a bearer token in it: only letters, digits and -._~+/= are one", f.name)
	}
	return token, nil
}

// isBearerToken applies b64token of RFC 6750, 2.1, but for where the = are.
func isBearerToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~+/=", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// oauthExtensions writes SASL extensions as KIP-342 has them: names of letters, values of printable characters and
// spaces. auth is the token's own.
func oauthExtensions(pairs []option.Pair) (string, error) {
	var b strings.Builder
	seen := map[string]bool{}
	for _, p := range pairs {
		letters := strings.Trim(p.Key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
		if !letters || strings.EqualFold(p.Key, "auth") || seen[p.Key] {
			return "", fmt.Errorf("%q must be a name of letters, not auth and once only, for example: sasl_oauthbearer_extensions logicalCluster=lkc-1,identityPoolId=pool-1", p.Key)
		}
		for _, c := range []byte(p.Value) {
			if (c < 0x20 || c > 0x7e) && c != '\t' {
				return "", fmt.Errorf("the value of %s has characters that are not printable ASCII", p.Key)
			}
		}
		seen[p.Key] = true
		b.WriteString(p.Key + "=" + p.Value + "\x01")
	}
	return b.String(), nil
}

// oauthMechanism is SASL OAUTHBEARER (RFC 7628) with one token.
type oauthMechanism struct{ token, extensions string }

// Name implements sasl.Mechanism.
func (m *oauthMechanism) Name() string { return mechanismOAuth }

// Start implements sasl.Mechanism: the first message has everything, RFC 7628, 3.1.
func (m *oauthMechanism) Start(context.Context) (sasl.StateMachine, []byte, error) {
	return &oauthExchange{}, []byte("n,,\x01auth=Bearer " + m.token + "\x01" + m.extensions + "\x01"), nil
}

// oauthExchange is one authentication with OAUTHBEARER.
type oauthExchange struct {
	refusal error
}

// Next implements sasl.StateMachine. A broker that takes the token says nothing. One that does not says why, and only an
// answer of ^A makes it fail the exchange: RFC 7628, 3.2.2.
func (x *oauthExchange) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	switch {
	case x.refusal != nil:
		return false, nil, x.refusal
	case len(challenge) == 0:
		return true, nil, nil
	}
	var reason struct {
		Status string `json:"status"`
		Scope  string `json:"scope"`
	}
	_ = json.Unmarshal(challenge, &reason) // what is no JSON has no status
	x.refusal = errors.New("the broker refuses the token")
	if reason.Status != "" {
		x.refusal = fmt.Errorf("the broker refuses the token: status %.100q, scope %.100q", reason.Status, reason.Scope)
	}
	return false, []byte{1}, nil
}

// tokenAge tells that a JWT has expired, by this host's clock; of anything else it says nothing.
func tokenAge(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return ""
	}
	if at := time.Unix(int64(claims.Exp), 0); time.Now().After(at) {
		return ", whose token expired at " + at.UTC().Format(time.RFC3339)
	}
	return ""
}
