package identity

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system has the variables of "NAME=value" lines and a folder of its own as root.
func system(t *testing.T, env ...string) System {
	t.Helper()
	set := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		set[name] = value
	}
	return System{Env: func(name string) string { return set[name] }, Root: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// show is a list as k=v separated by spaces.
func show(attrs []Attribute) string {
	var s []string
	for _, a := range attrs {
		s = append(s, a.Name+"="+a.Value)
	}
	return strings.Join(s, " ")
}

// updates collects what a collector hands on.
type updates struct {
	mu    sync.Mutex
	lists [][]Attribute
}

func (u *updates) add(list []Attribute) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lists = append(u.lists, list)
}

// await waits until the last list is as wanted.
func (u *updates) await(t *testing.T, want string) {
	t.Helper()
	got := ""
	for range 200 {
		u.mu.Lock()
		if n := len(u.lists); n > 0 {
			got = show(u.lists[n-1])
		}
		u.mu.Unlock()
		if got == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the last list is %q, want %q", got, want)
}

func (u *updates) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.lists)
}

func stateOf(c *Collector, want Source) (state State) {
	c.States(func(s Source, now State) {
		if s == want {
			state = now
		}
	})
	return state
}

func TestParseResource(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		attrs, err := ParseResource(text)
		if got := show(attrs); err != nil && want != "error" || err == nil && got != want {
			t.Errorf("%q = %q, %v, want %q", text, got, err, want)
		}
	}
	f("", "")
	f("a=b", "a=b")
	f("a=b,c=d", "a=b c=d")
	f(" a = b , c=d,", "a=b c=d")
	f("a=1%2C2%3D3,k%20k=v", "a=1,2=3 k k=v")
	f("a=1+2", "a=1+2")
	f("a=b=c", "a=b=c")
	f("a=first,a=second", "a=first")
	f("a=", "")
	f("deployment.environment=prod", "deployment.environment.name=prod")
	f("a=sch%C3%B6n", "a=schön")

	f("a", "error")
	f("a=b,c", "error")
	f("=b", "error")
	f("a=%zz", "error")
	f("a=100%", "error")
	f("%=x", "error")
	f("a=%ff", "error")
}

// The sources stand in their order, whatever the order they are switched on in, and the higher one has the say.
func TestOrder(t *testing.T) {
	env := []string{"OTEL_SERVICE_NAME=otel", "OTEL_RESOURCE_ATTRIBUTES=service.name=other,service.version=1,x=y",
		"DD_SERVICE=dd", "DD_VERSION=2", "DD_ENV=prod", "POD_NAME=pod", "POD_NAMESPACE=ns", "NODE_NAME=node"}
	f := func(want string, on ...Source) {
		t.Helper()
		c, got := Start(Config{System: system(t, env...), Sources: on, Downward: "/etc/podinfo"}, func([]Attribute) {})
		defer c.Close()
		if show(got) != want {
			t.Errorf("%v: %q, want %q", on, show(got), want)
		}
	}
	f("")
	f("service.name=otel service.version=1 x=y", OTel)
	f("service.name=dd service.version=2 deployment.environment.name=prod", Datadog)
	f("service.name=otel service.version=1 x=y deployment.environment.name=prod", Datadog, OTel)
	f("service.name=pod k8s.namespace.name=ns k8s.pod.name=pod k8s.node.name=node", Kubernetes)
	f("service.name=dd service.version=2 deployment.environment.name=prod k8s.namespace.name=ns k8s.pod.name=pod k8s.node.name=node", Kubernetes, Datadog)
	f("", ECS)
}

// A variable that is not what the specification allows is discarded as a whole, and said once; the other one counts.
func TestBadResourceAttributes(t *testing.T) {
	var log strings.Builder
	s := system(t, "OTEL_SERVICE_NAME=shop", "OTEL_RESOURCE_ATTRIBUTES=token=half,sekret")
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	c, got := Start(Config{System: s, Sources: []Source{OTel}}, func([]Attribute) {})
	defer c.Close()
	if show(got) != "service.name=shop" || stateOf(c, OTel) != Failed {
		t.Errorf("%q, %v", show(got), stateOf(c, OTel))
	}
	if n := strings.Count(log.String(), "discarded"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "sekret") {
		t.Errorf("a value is in the log:\n%s", &log)
	}
}

func TestBadPairs(t *testing.T) {
	pairs, err := parsePairs("a=\"1\"\nsekret\nb=\"2\"\n")
	if len(pairs) != 2 || err == nil || strings.Contains(err.Error(), "sekret") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%q, %v", pairs, err)
	}
}

func TestPodService(t *testing.T) {
	f := func(p Pod, name, version, instance string) {
		t.Helper()
		if s := p.Service(); s.Name != name || s.Version != version || s.InstanceID != instance {
			t.Errorf("%+v: %+v", p, s)
		}
	}
	type m = map[string]string
	f(Pod{}, "", "", "")
	f(Pod{Container: "app"}, "app", "", "")
	f(Pod{Name: "p", Namespace: "ns", Container: "app"}, "p", "", "ns.p.app")
	f(Pod{Name: "p", OwnerKind: "DaemonSet", OwnerName: "agent"}, "agent", "", "")
	f(Pod{Name: "p", OwnerKind: "Job", OwnerName: "nightly-28512345"}, "nightly", "", "")
	f(Pod{Name: "p", OwnerKind: "Job", OwnerName: "once-1"}, "once-1", "", "")
	f(Pod{Name: "web-5d-x", OwnerKind: "ReplicaSet", OwnerName: "web-5d"}, "web-5d", "", "")
	f(Pod{Name: "web-5d-x", OwnerKind: "ReplicaSet", OwnerName: "web-5d", Labels: m{labelHash: "5d"}}, "web", "", "")
	f(Pod{Name: "web-5d-x", Labels: m{labelHash: "5d"}}, "web", "", "")
	f(Pod{Name: "web-x", Labels: m{labelHash: "5d"}}, "web-x", "", "")
	f(Pod{Name: "p", Labels: m{labelName: "n", labelVersion: "2"}, Image: "a:1"}, "n", "2", "")
	f(Pod{Name: "p", Labels: m{labelName: "n", labelInstance: "i"}, Image: "reg:5000/a/b:1.0"}, "i", "1.0", "")
	f(Pod{Name: "p", Image: "reg:5000/a/b"}, "p", "", "")
	f(Pod{Name: "p", Image: "a@sha256:0a"}, "p", "sha256:0a", "")
	f(Pod{Name: "p", Image: "a:1@sha256:0a"}, "p", "1", "")
	f(Pod{Name: "p", Annotations: m{annotationPrefix + "service.name": "a", annotationPrefix + "service.version": "3",
		annotationPrefix + "service.instance.id": "i"}, Labels: m{labelName: "n", labelVersion: "2"}}, "a", "3", "i")
}

// podinfo is a volume of the downward API as the kubelet makes it: files behind a link that is swapped.
type podinfo struct {
	t      *testing.T
	folder string
	n      int
}

func (p *podinfo) swap(files map[string]string) {
	p.t.Helper()
	p.n++
	version := fmt.Sprintf("..2026_11_24_%d", p.n)
	for name, content := range files {
		write(p.t, filepath.Join(p.folder, version, name), content)
	}
	next := filepath.Join(p.folder, "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(p.folder, "..data")); err != nil {
		p.t.Fatal(err)
	}
	for name := range files {
		_ = os.Symlink(filepath.Join("..data", name), filepath.Join(p.folder, name)) // there from the first swap on
	}
}

// The volume is read at the start, again on every refresh, and of each moment as a whole. What stays the same is not
// handed on.
func TestDownwardFiles(t *testing.T) {
	s := system(t, "POD_NAME=from-env", "NODE_NAME=node-1")
	pod := &podinfo{t: t, folder: filepath.Join(s.Root, "etc/podinfo")}
	pod.swap(map[string]string{
		"labels":      "app.kubernetes.io/name=\"shop\"\napp.kubernetes.io/version=\"1.0\"\nother=\"with \\\"quotes\\\" and \\n\"\n",
		"annotations": "resource.opentelemetry.io/team=\"blue\"\nkubernetes.io/config.seen=\"2026\"\n",
		"namespace":   "prod", "name": "shop-7d-x",
	})
	var u updates
	c, got := Start(Config{System: s, Sources: []Source{Kubernetes}, Downward: "/etc/podinfo", Refresh: 20 * time.Millisecond}, u.add)
	defer c.Close()
	if want := "service.name=shop service.version=1.0 k8s.namespace.name=prod k8s.pod.name=shop-7d-x k8s.node.name=node-1 team=blue"; show(got) != want {
		t.Errorf("at the start %q, want %q", show(got), want)
	}
	time.Sleep(100 * time.Millisecond)
	if n := u.count(); n != 0 {
		t.Errorf("%d new lists although nothing has changed", n)
	}
	pod.swap(map[string]string{"labels": "app.kubernetes.io/name=\"shop\"\napp.kubernetes.io/version=\"2.0\"\n", "name": "shop-7d-x"})
	u.await(t, "service.name=shop service.version=2.0 k8s.pod.name=shop-7d-x k8s.node.name=node-1")
	// A line that cannot be read costs itself, and is a failure that is seen.
	pod.swap(map[string]string{"labels": "app.kubernetes.io/name=\"shop2\"\nno pair\n"})
	u.await(t, "service.name=shop2 k8s.pod.name=from-env k8s.node.name=node-1")
	if stateOf(c, Kubernetes) != Failed {
		t.Errorf("state %v", stateOf(c, Kubernetes))
	}
	pod.swap(map[string]string{"labels": "app.kubernetes.io/name=\"shop3\"\n"})
	u.await(t, "service.name=shop3 k8s.pod.name=from-env k8s.node.name=node-1")
	if stateOf(c, Kubernetes) != Found {
		t.Errorf("state %v", stateOf(c, Kubernetes))
	}
}

// For a DaemonSet its own pod is not that of the records; the node is.
func TestOthersPods(t *testing.T) {
	c, got := Start(Config{System: system(t, "POD_NAME=fluent-bit-x", "NODE_NAME=n1", "K8S_CLUSTER_NAME=c"),
		Sources: []Source{Kubernetes}, Downward: "/x", OthersPods: true}, func([]Attribute) {})
	defer c.Close()
	if want := "k8s.cluster.name=c k8s.node.name=n1"; show(got) != want {
		t.Errorf("%q, want %q", show(got), want)
	}
}

// A file system that hangs holds the start up for a second and no longer; when it answers, the attributes come.
func TestHangingFile(t *testing.T) {
	s := system(t)
	folder := filepath.Join(s.Root, "etc/podinfo")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(folder, "labels")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	var u updates
	start := time.Now()
	c, got := Start(Config{System: s, Sources: []Source{Kubernetes}, Downward: "/etc/podinfo"}, u.add)
	defer c.Close()
	if took := time.Since(start); took > 3*startWait || len(got) > 0 || stateOf(c, Kubernetes) != Waiting {
		t.Errorf("%v, %q, %v", took, show(got), stateOf(c, Kubernetes))
	}
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("app.kubernetes.io/name=\"late\"\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	u.await(t, "service.name=late")
}

const task = `{"Cluster":"prod","TaskARN":"arn:aws:ecs:us-west-2:111122223333:task/prod/158d1c80","Family":"shop","Revision":"7",
	"ServiceName":"checkout","AvailabilityZone":"us-west-2d","LaunchType":"FARGATE","Containers":[{"DockerId":"x"}]}`

const taskAttributes = "service.name=checkout cloud.region=us-west-2 cloud.account.id=111122223333 cloud.availability_zone=us-west-2d " +
	"cloud.provider=aws cloud.platform=aws_ecs aws.ecs.cluster.arn=arn:aws:ecs:us-west-2:111122223333:cluster/prod " +
	"aws.ecs.task.arn=arn:aws:ecs:us-west-2:111122223333:task/prod/158d1c80 aws.ecs.task.family=shop aws.ecs.task.revision=7 aws.ecs.launchtype=fargate"

// endpoint is a task metadata endpoint.
func endpoint(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/v4/abc"
}

func startECS(t *testing.T, url string, refresh time.Duration) (*Collector, *updates) {
	t.Helper()
	u := &updates{}
	start := time.Now()
	c, got := Start(Config{System: system(t, ecsVariable+"="+url), Sources: []Source{ECS}, Refresh: refresh}, u.add)
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("the start waited %v", took)
	}
	if len(got) > 0 {
		u.add(got) // it was faster than the start
	}
	t.Cleanup(c.Close)
	return c, u
}

func TestECS(t *testing.T) {
	c, u := startECS(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v4/abc/task" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, task)
	}), 0)
	u.await(t, taskAttributes)
	if stateOf(c, ECS) != Found {
		t.Errorf("state %v", stateOf(c, ECS))
	}
}

// Where /task does not answer, the labels of the container say the most of it.
func TestECSContainerOnly(t *testing.T) {
	_, u := startECS(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/task") {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `{"Labels":{"com.amazonaws.ecs.cluster":"arn:c","com.amazonaws.ecs.task-arn":"arn:aws:ecs:eu-1:1:task/x",
			"com.amazonaws.ecs.task-definition-family":"f","com.amazonaws.ecs.task-definition-version":"3"}}`)
	}), 0)
	u.await(t, "cloud.region=eu-1 cloud.account.id=1 cloud.provider=aws cloud.platform=aws_ecs aws.ecs.cluster.arn=arn:c "+
		"aws.ecs.task.arn=arn:aws:ecs:eu-1:1:task/x aws.ecs.task.family=f aws.ecs.task.revision=3")
}

// An endpoint that answers late: the start does not wait, and the attributes come when it has answered.
func TestECSLate(t *testing.T) {
	answer := make(chan struct{})
	c, u := startECS(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) { <-answer; fmt.Fprint(w, task) }), 0)
	time.Sleep(100 * time.Millisecond)
	if stateOf(c, ECS) != Waiting || u.count() > 0 {
		t.Errorf("state %v, %d lists", stateOf(c, ECS), u.count())
	}
	close(answer)
	u.await(t, taskAttributes)
}

// An endpoint that never answers is given up after ecsTimeout, and Close does not wait for that.
func TestECSHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // its backlog takes connections that nobody accepts
	c, u := startECS(t, "http://"+l.Addr().String(), 0)
	time.Sleep(200 * time.Millisecond)
	if stateOf(c, ECS) != Waiting || u.count() > 0 {
		t.Errorf("state %v, %d lists", stateOf(c, ECS), u.count())
	}
	start := time.Now()
	c.Close()
	if took := time.Since(start); took > closeWait {
		t.Errorf("Close took %v", took)
	}
}

// Whatever is wrong with the address, no error repeats the password in it.
func TestECSKeepsPasswords(t *testing.T) {
	broken := strings.TrimPrefix(endpoint(t, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }), "http://")
	mute := strings.TrimPrefix(endpoint(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "{") }), "http://")
	for _, host := range []string{broken, mute, "127.0.0.1:1", "bad port:x", "[::1", "a b", "%zz/"} {
		s := system(t, ecsVariable+"=http://me:hunter2@"+host)
		attrs, state, err := readECS(t.Context(), &s)
		if attrs != nil || state != Failed || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v, %v", host, attrs, state, err)
		}
	}
}

// The timeout is that of the whole question, both of its requests together.
func TestECSTimeout(t *testing.T) {
	done := make(chan struct{})
	url := endpoint(t, func(w http.ResponseWriter, r *http.Request) { <-done })
	defer close(done)
	s := system(t, ecsVariable+"="+url)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if attrs, state, err := readECS(ctx, &s); attrs != nil || state != Failed || err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("%v, %v, %v after %v", attrs, state, err, time.Since(start))
	}
}

// What is no answer counts as none; the endpoint is asked again until there is one.
func TestECSRubbish(t *testing.T) {
	answers := []string{"<html>", "{}", `{"TaskARN":5}`, `{"TaskARN":`, "", strings.Repeat("[", 10000), task}
	var mu sync.Mutex
	n := 0
	c, u := startECS(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, "/task") {
			fmt.Fprint(w, "{")
			return
		}
		fmt.Fprint(w, answers[min(n, len(answers)-1)])
		n++
	}), 10*time.Millisecond)
	u.await(t, taskAttributes)
	if u.count() != 1 || stateOf(c, ECS) != Found {
		t.Errorf("%d lists, %v", u.count(), stateOf(c, ECS))
	}
}

func TestHost(t *testing.T) {
	s := system(t)
	write(t, filepath.Join(s.Root, "etc/machine-id"), "0af7651916cd43dd8448eb211c80319c\n")
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var u updates
	looked := make(chan struct{})
	c, got := Start(Config{System: s, Sources: []Source{Host}, FQDN: func(ctx context.Context, host string) (string, error) {
		<-looked
		return host + ".example.org.", nil
	}}, u.add)
	defer c.Close()
	want := "host.name=" + name + " host.id=0af7651916cd43dd8448eb211c80319c host.arch="
	if !strings.HasPrefix(show(got), want) || !strings.HasSuffix(show(got), " os.type=linux") {
		t.Errorf("%q, want %q…", show(got), want)
	}
	close(looked)
	u.await(t, show(got)+" host.fqdn="+name+".example.org")
}

// A name server that does not answer is given up.
func TestFQDNHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if attrs := readFQDN(ctx, func(ctx context.Context, host string) (string, error) { <-ctx.Done(); return "", ctx.Err() }); attrs != nil {
		t.Errorf("%v", attrs)
	}
}

func TestContainer(t *testing.T) {
	const id = "3f4a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8"
	other := strings.Repeat("a", 64)
	f := func(cgroup, mountinfo, want string, state State) {
		t.Helper()
		s := system(t)
		write(t, filepath.Join(s.Root, "proc/self/cgroup"), cgroup)
		if mountinfo != "" {
			write(t, filepath.Join(s.Root, "proc/self/mountinfo"), mountinfo)
		}
		c, got := Start(Config{System: s, Sources: []Source{Container}}, func([]Attribute) {})
		defer c.Close()
		if show(got) != want || stateOf(c, Container) != state {
			t.Errorf("%q: %q, %v", cgroup, show(got), stateOf(c, Container))
		}
	}
	f("12:cpu:/docker/"+id+"\n", "", "container.id="+id, Found)
	f("1:name=systemd:/kubepods.slice/kubepods-pod"+other+".slice/cri-containerd-"+id+".scope\n", "", "container.id="+id, Found)
	f("0::/\n", "1 2 0:3 /var/lib/docker/containers/"+id+"/hostname /etc/hostname rw - ext4 /dev/x rw\n", "container.id="+id, Found)
	f("0::/\n", "1 2 0:3 /var/lib/docker/overlay2/"+other+"/merged / rw - overlay overlay rw\n", "", Absent)
	f("0::/user.slice\n", "", "", Absent)
}

func TestNaming(t *testing.T) {
	f := func(n Naming, name, want string) {
		t.Helper()
		if got := n.Of(name); got != want {
			t.Errorf("%v: %s is %s, want %s", n, name, got, want)
		}
	}
	f(NamingOTel, "service.name", "service.name")
	f(NamingECS, "service.name", "service.name")
	f(NamingECS, "service.instance.id", "service.node.name")
	f(NamingECS, "k8s.pod.uid", "kubernetes.pod.uid")
	f(NamingDatadog, "service.name", "service")
	f(NamingDatadog, "k8s.node.name", "host")
	f(NamingDatadog, "service.namespace", "service.namespace")
	f(NamingDatadog, "log_type", "log_type")
	for i, name := range NamingNames() {
		if n, err := ParseNaming(strings.ToUpper(name)); err != nil || n != Naming(i) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
	if _, err := ParseNaming("x"); err == nil {
		t.Error("x is a naming")
	}
}

// Close ends everything; a panic of a source is a failure of that source.
// What a source said stays when it fails, and a source that hangs does not hold up the end.
func TestFailureKeeps(t *testing.T) {
	c := &Collector{cfg: Config{System: system(t)}, cancel: func() {}}
	say := func(state State, attrs ...Attribute) {
		c.set(ECS, func() ([]Attribute, State, error) { return attrs, state, nil })
	}
	say(Found, Attribute{"a", "1"})
	if say(Failed); show(c.list()) != "a=1" {
		t.Errorf("after a failure %q", show(c.list()))
	}
	if say(Absent); show(c.list()) != "" {
		t.Errorf("when it has gone %q", show(c.list()))
	}
	hang := make(chan struct{})
	c.spawn(func() { <-hang })
	start := time.Now()
	c.Close()
	if took := time.Since(start); took > 3*closeWait {
		t.Errorf("the end took %v", took)
	}
	close(hang)
}

// All files of a volume are of one moment, also when the link is swapped while they are read and the old files go.
func TestSwapWhileReading(t *testing.T) {
	s := system(t)
	pod := &podinfo{t: t, folder: filepath.Join(s.Root, "etc/podinfo")}
	pod.swap(map[string]string{"name": "old", "uid": "1"})
	old, err := filepath.EvalSymlinks(filepath.Join(pod.folder, "..data"))
	if err != nil {
		t.Fatal(err)
	}
	labels := filepath.Join(old, "labels") // read first, and the reader waits in it
	if err := syscall.Mkfifo(labels, 0o644); err != nil {
		t.Fatal(err)
	}
	var swap sync.WaitGroup
	swap.Go(func() {
		w, err := os.OpenFile(labels, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		pod.swap(map[string]string{"name": "new", "uid": "2"})
		if err := os.RemoveAll(old); err != nil {
			t.Error(err)
		}
		w.Close()
	})
	attrs, state, err := readDownward(&s, "/etc/podinfo")
	swap.Wait()
	if want := "service.name=new k8s.pod.name=new k8s.pod.uid=2"; show(attrs) != want || state != Found {
		t.Errorf("%q, %v, %v, want %q", show(attrs), state, err, want)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	c := &Collector{cfg: Config{System: system(t)}, cancel: func() {}}
	c.now[ECS].on = true
	if s := c.set(ECS, func() ([]Attribute, State, error) { panic("x") }); s != Failed || stateOf(c, ECS) != Failed {
		t.Errorf("%v", s)
	}
	c.Close()
	if !slices.Contains(SourceNames(), "ecs") || len(StateNames()) != int(states) {
		t.Error("names are missing")
	}
}
