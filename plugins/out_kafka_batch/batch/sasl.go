package batch

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"flbgo/shared/option"
)

// authenticator is sasl_mechanism with its credentials. It implements sasl.Mechanism; credentials that are in a file are
// read again for each connection. Safe for concurrent use.
type authenticator struct {
	mechanism    string
	username     string
	password     string // "" where passwordFile is set
	passwordFile string
	token        *tokenFile // for OAUTHBEARER

	mu      sync.Mutex
	secret  string         // that was used last
	current sasl.Mechanism // made of it: SCRAM keeps keys that take long to derive
}

func parseSASL(v *option.Values) (a *authenticator, warnings []note) {
	a = &authenticator{mechanism: v.Text("sasl_mechanism"), username: v.Text("sasl_username"),
		password: v.Text("sasl_password"), passwordFile: v.Text("sasl_password_file")}
	needs := func(name, example string) {
		if !v.IsSet(name) {
			v.Fail(name, "is missing: sasl_mechanism %s needs it, for example: %s %s", a.mechanism, name, example)
		}
	}
	without := func(names ...string) {
		for _, name := range names {
			if v.IsSet(name) {
				v.Fail(name, "is not used by sasl_mechanism %s", a.mechanism)
			}
		}
	}
	switch a.mechanism {
	case "":
		if v.IsSet("sasl_mechanism") {
			break // to something that it says is none
		}
		v.Fail("sasl_mechanism", "is missing: security_protocol %s needs it, for example: sasl_mechanism %s", v.Text("security_protocol"), mechanismSCRAM512)
	case mechanismOAuth:
		without("sasl_username", "sasl_password", "sasl_password_file")
		needs("sasl_oauthbearer_token_file", "/run/secrets/kafka-token")
		extensions, err := oauthExtensions(v.Pairs("sasl_oauthbearer_extensions"))
		if err != nil {
			v.Fail("sasl_oauthbearer_extensions", "%w", err)
		}
		a.token = &tokenFile{name: v.Text("sasl_oauthbearer_token_file"), extensions: extensions}
		if a.token.name != "" {
			if _, err := a.token.read(); err != nil {
				warnings = append(warnings, note{slog.LevelWarn, "sasl_oauthbearer_token_file cannot be used yet; it is read again at each connection: " + err.Error()})
			}
		}
	default:
		without("sasl_oauthbearer_token_file", "sasl_oauthbearer_extensions")
		needs("sasl_username", "fluent-bit")
		switch {
		case a.password == "" && a.passwordFile == "":
			v.Fail("sasl_password", "is missing: sasl_mechanism %s needs it, or sasl_password_file", a.mechanism)
		case a.password != "" && a.passwordFile != "":
			v.Fail("sasl_password_file", "is set, and so is sasl_password: only one of them is read")
		case a.password != "":
			if _, err := a.make(a.password); err != nil {
				v.Fail("sasl_password", "or sasl_username has characters that %s does not allow", a.mechanism)
			}
		default:
			if _, err := a.readPassword(); err != nil {
				warnings = append(warnings, note{slog.LevelWarn, "sasl_password_file cannot be used yet; it is read again at each connection: " + err.Error()})
			}
		}
	}
	return a, warnings
}

// Name implements sasl.Mechanism.
func (a *authenticator) Name() string { return a.mechanism }

// Start implements sasl.Mechanism.
func (a *authenticator) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	m, err := a.fresh()
	if err != nil {
		return nil, nil, &adviceError{err.Error(), err, true}
	}
	machine, first, err := m.Start(ctx)
	if err != nil {
		return nil, nil, a.failed(err)
	}
	return &exchange{machine, a}, first, nil
}

// exchange is one authentication.
type exchange struct {
	machine sasl.StateMachine
	a       *authenticator
}

// Next implements sasl.StateMachine.
func (e *exchange) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	done, answer, err := e.machine.Next(ctx, challenge)
	if err != nil {
		return false, nil, e.a.failed(err)
	}
	return done, answer, nil
}

// failed is for what this side has against what the broker said.
func (a *authenticator) failed(err error) error {
	return &adviceError{a.redact("SASL authentication with "+a.mechanism+": "+err.Error()) + "; see " + a.see(), err, true}
}

// fresh is the mechanism with the credentials as they are now.
func (a *authenticator) fresh() (sasl.Mechanism, error) {
	secret := a.password
	var err error
	switch {
	case a.token != nil:
		secret, err = a.token.read()
	case a.passwordFile != "":
		secret, err = a.readPassword()
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.secret != secret {
		m, err := a.make(secret)
		if err != nil {
			return nil, fmt.Errorf("sasl_username or the password has characters that %s does not allow", a.mechanism)
		}
		a.current, a.secret = m, secret
	}
	return a.current, nil
}

func (a *authenticator) make(secret string) (sasl.Mechanism, error) {
	switch a.mechanism {
	case mechanismSCRAM256:
		return scram.Mechanism(scram.SHA256, a.username, secret)
	case mechanismSCRAM512:
		return scram.Mechanism(scram.SHA512, a.username, secret)
	case mechanismOAuth:
		return &oauthMechanism{token: secret, extensions: a.token.extensions}, nil
	default:
		return plain.Mechanism{Username: a.username, Password: secret}, nil
	}
}

// maxPassword is far above any that a broker takes.
const maxPassword = 64 << 10

// readPassword returns the content of the file without the line break at its end. Other spaces belong to it.
func (a *authenticator) readPassword() (string, error) {
	text, err := readFile(a.passwordFile, maxPassword)
	if err != nil {
		return "", fmt.Errorf("sasl_password_file: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("sasl_password_file %s is empty", a.passwordFile)
	}
	return password, nil
}

// redact takes the secret that was used last out of a text, and of a token each of its parts.
func (a *authenticator) redact(text string) string {
	if a == nil {
		return text
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	text = hide(text, a.secret)
	if a.token != nil {
		for part := range strings.SplitSeq(a.secret, ".") {
			if len(part) >= longSecret {
				text = hide(text, part)
			}
		}
	}
	return text
}

// longSecret is from where on a secret stands in a text for no other reason than that somebody repeats it.
const longSecret = 8

// hide puts *** for a secret. A short one is taken for a part of another word where letters or digits stand around it:
// to hide the "pass" of "password" would tell it.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	var b strings.Builder
	for rest := text; ; {
		i := strings.Index(rest, secret)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		end := i + len(secret)
		before := text[:len(text)-len(rest)+i]
		if len(secret) < longSecret && (endsInWord(before) || startsInWord(rest[end:])) {
			b.WriteString(rest[:i+1])
			rest = rest[i+1:]
			continue
		}
		b.WriteString(rest[:i] + "***")
		rest = rest[end:]
	}
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func startsInWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// see names what to look at when a broker refuses the credentials.
func (a *authenticator) see() string {
	switch {
	case a.token != nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		return "sasl_oauthbearer_token_file " + a.token.name + tokenAge(a.secret)
	case a.passwordFile != "":
		return "sasl_username and sasl_password_file (sasl_mechanism " + a.mechanism + ")"
	}
	return "sasl_username and sasl_password (sasl_mechanism " + a.mechanism + ")"
}
