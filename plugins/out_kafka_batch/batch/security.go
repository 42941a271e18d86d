package batch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"

	"flbgo/shared/option"
)

// security is how an instance and the brokers know each other. The zero value is plaintext. It does not change after
// New, but files that it names are read again, see certificates and authenticator. Safe for concurrent use.
type security struct {
	certificates *certificates  // nil: no TLS
	sasl         *authenticator // nil: no SASL
}

// Mechanisms of sasl_mechanism.
const (
	mechanismPlain    = "PLAIN"
	mechanismSCRAM256 = "SCRAM-SHA-256"
	mechanismSCRAM512 = "SCRAM-SHA-512"
	mechanismOAuth    = "OAUTHBEARER"
)

// parseSecurity reads the ssl_* and sasl_* options. A combination that makes no sense is an error: what somebody set and
// nobody uses is a connection that is less safe than they think. warnings are for the log.
func parseSecurity(v *option.Values) (s security, warnings []note) {
	protocol := v.Text("security_protocol")
	withTLS, withSASL := strings.HasSuffix(protocol, "ssl"), strings.HasPrefix(protocol, "sasl")
	for i := range Options {
		switch name := Options[i].Name; {
		case !v.IsSet(name):
		case strings.HasPrefix(name, "ssl_verify") && v.Bool(name): // asks for nothing
		case strings.HasPrefix(name, "ssl_") && !withTLS:
			v.Fail(name, "needs TLS, which security_protocol %s has not, for example: security_protocol %s", protocol, protocolWith(withSASL, true))
		case strings.HasPrefix(name, "sasl_") && !withSASL:
			v.Fail(name, "needs SASL, which security_protocol %s has not, for example: security_protocol %s", protocol, protocolWith(true, withTLS))
		}
	}
	if withTLS {
		var more []note
		s.certificates, more = parseCertificates(v)
		warnings = append(warnings, more...)
	}
	if withSASL {
		var more []note
		s.sasl, more = parseSASL(v)
		warnings = append(warnings, more...)
		if m := v.Text("sasl_mechanism"); !withTLS && (m == mechanismPlain || m == mechanismOAuth) {
			warnings = append(warnings, note{slog.LevelWarn, fmt.Sprintf("security_protocol %s sends the credentials of sasl_mechanism %s in the clear", protocol, m)})
		}
	}
	return s, warnings
}

func protocolWith(withSASL, withTLS bool) string {
	switch {
	case withSASL && withTLS:
		return "sasl_ssl"
	case withSASL:
		return "sasl_plaintext"
	default:
		return "ssl"
	}
}

// adviceError is a failed connection with the option that somebody should look at. An operator's one is from before the
// connection was ready: no request went over it.
type adviceError struct {
	text     string
	err      error // nil where the cause adds nothing
	operator bool  // it does not pass by itself
}

func (e *adviceError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *adviceError) Unwrap() error { return e.err }

// advise adds to an error of a connection what to look at, and takes secrets out of it: what a broker says may repeat
// what it was told.
func (s *security) advise(err error) error {
	var a *adviceError
	if err == nil || errors.As(err, &a) {
		return err
	}
	text := s.sasl.redact(err.Error())
	var code kafka.Error
	if errors.As(err, &code) && s.sasl != nil {
		switch code {
		case kafka.SASLAuthenticationFailed:
			return &adviceError{text + "; see " + s.sasl.see(), err, true}
		case kafka.IllegalSASLState: // Kafka's answer on a listener without SASL
			return &adviceError{text + "; the broker may not use SASL on this port: see security_protocol and brokers", err, true}
		case kafka.UnsupportedSASLMechanism:
			return &adviceError{text + "; the broker does not offer sasl_mechanism " + s.sasl.Name() + " on this port", err, true}
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && strings.Contains(text, "expecting TLS") { // kafka-go's own guess
		return &adviceError{text: text + "; see security_protocol", err: err}
	}
	if text != err.Error() {
		return &adviceError{text: text, err: err}
	}
	return err
}

// adviseTLS tells what to look at for an error of crypto/tls, "" for any other.
func adviseTLS(err error) string {
	var (
		authority *x509.UnknownAuthorityError
		unknown   x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		header    tls.RecordHeaderError
		remote    *net.OpError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &authority):
		return "see ssl_ca_file: it must have the authority that signed the broker's certificate"
	case errors.As(err, &host):
		return "the broker's certificate is for other names: see brokers, advertised.listeners of the broker and ssl_server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the broker's certificate has to be renewed, unless this host's clock is wrong"
	case errors.As(err, &verify):
		return "the broker's certificate is not acceptable"
	case errors.As(err, &header):
		return "the broker does not speak TLS on this port: see security_protocol and brokers"
	case errors.As(err, &remote) && remote.Op == "remote error":
		return adviseAlert(remote.Err.Error())
	}
	return ""
}

// adviseAlert is for what a broker says when it ends TLS. crypto/tls keeps the type of alerts to itself, so that the
// text is all there is; "" for an alert that says nothing about the configuration.
func adviseAlert(text string) string {
	switch {
	case strings.Contains(text, "certificate"), strings.Contains(text, "handshake failure"), strings.Contains(text, "access denied"):
		return "the broker does not accept this client's certificate, or wants one: see ssl_certificate_file and ssl_key_file"
	case strings.Contains(text, "protocol version"):
		return "the broker has no TLS version in common with this client, which speaks 1.2 and 1.3"
	case strings.Contains(text, "unrecognized name"):
		return "the broker is not one for that name: see brokers and ssl_server_name"
	}
	return ""
}

// cutOff tells whether a connection was ended by the other side without a word.
func cutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
