package prometheus

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"sync"

	"github.com/emersion/go-smtp"
)

// Message is what a receiver got: an alert by webhook, or a mail's subject.
type Message struct {
	By       string            // "webhook" or "mail"
	Status   string            // by webhook: firing or resolved
	Labels   map[string]string // by webhook
	Text     string            // the alert's summary, or the mail's subject
	To       string            // by mail
	MailBody string
}

// Receiver is the other end of alertmanager.yml: a webhook and a mail server on loopback. Its methods are safe for
// concurrent use.
type Receiver struct {
	on   func(Message)
	web  *http.Server
	smtp *smtp.Server
	addr struct{ web, smtp string }
	done sync.WaitGroup
}

// NewReceiver listens. It calls on with each message, from several goroutines; Close ends it.
func NewReceiver(on func(Message)) (*Receiver, error) {
	r := &Receiver{on: on}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	post, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, web.Close())
	}
	r.addr.web, r.addr.smtp = web.Addr().String(), post.Addr().String()
	r.web = &http.Server{Handler: http.HandlerFunc(r.webhook)}
	r.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{r: r}, nil }))
	r.smtp.Domain = "localhost"
	r.smtp.MaxMessageBytes = 1 << 20
	r.done.Go(func() { _ = r.web.Serve(web) })
	r.done.Go(func() { _ = r.smtp.Serve(post) })
	return r, nil
}

// replace are the changes of alertmanager.yml that lead here. This mail server has no TLS.
func (r *Receiver) replace() map[string]string {
	return map[string]string{
		"http://127.0.0.1:9095/": "http://" + r.addr.web + "/",
		"mail.example.com:587":   r.addr.smtp,
		"smtp_require_tls: true": "smtp_require_tls: false",
	}
}

// webhook takes what Alertmanager posts: several alerts at a time.
func (r *Receiver) webhook(w http.ResponseWriter, req *http.Request) {
	var body struct {
		Alerts []struct {
			Status              string
			Labels, Annotations map[string]string
		}
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<20)).Decode(&body); err != nil || req.URL.Path != "/alerts" {
		http.Error(w, "no alerts", http.StatusBadRequest)
		return
	}
	for _, a := range body.Alerts {
		r.on(Message{By: "webhook", Status: a.Status, Labels: a.Labels, Text: a.Annotations["summary"]})
	}
}

// session is one connection of a mail client.
type session struct {
	r  *Receiver
	to string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) Data(body io.Reader) error {
	m, err := mail.ReadMessage(body)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	b, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	s.r.on(Message{By: "mail", To: s.to, Text: subject, MailBody: string(b)})
	return nil
}

// Close ends both servers.
func (r *Receiver) Close() error {
	err := errors.Join(r.web.Close(), r.smtp.Close())
	r.done.Wait()
	return err
}
