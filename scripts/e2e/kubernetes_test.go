package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The DaemonSet's configuration reads containerd's files, asks the API server for the pod, and every record says whose it
// is. The API server is a recorder that knows one pod; what it must answer is Kubernetes' pod object.
func TestKubernetesDaemonSet(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			var asked atomic.Int64
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v1/namespaces/shop/pods/checkout-5d9c7bd4f6-x2x4z" {
					http.NotFound(w, r)
					return
				}
				asked.Add(1)
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, checkoutPod)
			}))
			defer api.Close()
			// Tags are made of the files' paths.
			logs := t.TempDir()
			prefix := "kube." + strings.ReplaceAll(strings.TrimPrefix(logs, "/"), "/", ".") + "."
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
				t.Fatal(err)
			}
			conf := variant(t, "conf/kubernetes/daemonset/fluent-bit.conf", [][2]string{
				{`(?m)^(\s*)Kube_URL\b`, "${1}Kube_Token_File " + token + "\n$0"}, // a pod has it where the default says
			})
			// As Kubernetes mounts a map: hosts follow the links, and look for other files from where they lead.
			mount := filepath.Join(t.TempDir(), "mount")
			if err := os.MkdirAll(filepath.Join(mount, "..2026_11_24"), 0o755); err != nil {
				t.Fatal(err)
			}
			for link, to := range map[string]string{"..data": "..2026_11_24", "fluent-bit.conf": "..data/fluent-bit.conf"} {
				if err := os.Symlink(to, filepath.Join(mount, link)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(conf, filepath.Join(mount, "..2026_11_24", "fluent-bit.conf")); err != nil {
				t.Fatal(err)
			}
			conf = filepath.Join(mount, "fluent-bit.conf")
			r := newRig(t, h, conf, "HTTP_PORT="+freePort(t), "NODE_NAME=node-7",
				"LOG_DIR="+logs, "KUBE_URL="+api.URL, "KUBE_TAG_PREFIX="+prefix)
			const n = 300
			var lines strings.Builder
			for i := range n {
				fmt.Fprintf(&lines, "%s stdout F {\"level\":\"info\",\"msg\":\"order %d\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n",
					time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z"), i)
			}
			fmt.Fprintf(&lines, "%s stderr F no JSON\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z"))
			path := filepath.Join(logs, "checkout-5d9c7bd4f6-x2x4z_shop_app-"+strings.Repeat("ab", 32)+".log")
			if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			r.startHost()
			got := r.messages(n+1, 20*time.Second)
			if len(got) != n+1 {
				t.Errorf("%d records of %d arrived", len(got), n+1)
			}
			for message, m := range got {
				stream, level := "stdout", any("INFO")
				if message == "no JSON" {
					stream, level = "stderr", nil
				}
				if m["service.name"] != "checkout" || m["service.version"] != "1.4.2" || m["host.name"] != "node-7" ||
					m["log_type"] != stream || m["level"] != level || m["timestamp"] == nil {
					t.Fatalf("%s: %v", message, m)
				}
			}
			if asked.Load() == 0 {
				t.Error("nobody asked for the pod")
			}
		})
	}
}

// checkoutPod is what the API server answers.
const checkoutPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"checkout-5d9c7bd4f6-x2x4z","namespace":"shop",
"uid":"5b1c2f3e-0000-4000-8000-000000000001","labels":{"app.kubernetes.io/name":"checkout","app.kubernetes.io/version":"1.4.2",
"pod-template-hash":"5d9c7bd4f6"},"annotations":{"example.org/team":"orders"}},"spec":{"nodeName":"node-7",
"containers":[{"name":"app","image":"shop/checkout:1.4.2"}]},"status":{"podIP":"10.0.0.7","containerStatuses":[{"name":"app",
"containerID":"containerd://abab","image":"shop/checkout:1.4.2","imageID":"shop/checkout@sha256:00"}]}}`
