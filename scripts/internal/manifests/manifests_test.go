package manifests

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const root = "../../.."

// built is what `kubectl apply -k` would send for a folder of conf/kubernetes.
func built(t *testing.T, folder string) []any {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(root, "conf/kubernetes", folder))
	if err != nil {
		t.Fatal(err)
	}
	content, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Read(content)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// one is the only object of a type.
func one[T any](t *testing.T, objects []any) *T {
	t.Helper()
	all := all[T](objects)
	if len(all) != 1 {
		t.Fatalf("%d objects of type %T", len(all), all)
	}
	return all[0]
}

func all[T any](objects []any) (out []*T) {
	for _, o := range objects {
		if x, ok := o.(*T); ok {
			out = append(out, x)
		}
	}
	return out
}

// Every file is one that the API's types have all keys of, and says in its first line what it is for.
func TestFilesAreStrictlyValid(t *testing.T) {
	n := 0
	err := filepath.WalkDir(filepath.Join(root, "conf/kubernetes"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(content, []byte("# ")) {
			t.Errorf("%s does not say what it is for", path)
		}
		if filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
			return nil
		}
		n++
		if _, err := ReadFile(path); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil || n < 6 {
		t.Errorf("%d files, %v", n, err)
	}
	for _, bad := range []string{
		"apiVersion: v1\nkind: ConfigMap\ndatas: {}\n", "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\ndata: {}\n",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: many}\n", "apiVersion: v1\nkind: Nothing\n",
	} {
		if _, err := Read([]byte(bad)); err == nil {
			t.Errorf("taken for valid: %s", bad)
		}
	}
}

// What holds of the container in both ways of running it.
func checkContainer(t *testing.T, c *corev1.Container, pod *corev1.PodSpec, conf string) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") || s.Privileged != nil {
		t.Errorf("security context %+v", s)
	}
	if pod.SecurityContext == nil || pod.SecurityContext.SeccompProfile == nil || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod security context %+v", pod.SecurityContext)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources %+v", c.Resources)
	}
	if c.Resources.Limits.Cpu().Sign() != 0 {
		t.Error("a limit of CPU throttles what must catch up after an outage")
	}
	// Probes ask what is there: ports by their names, and no restart or start because of Kafka.
	port := func(name string) int32 {
		for _, p := range c.Ports {
			if p.Name == name {
				return p.ContainerPort
			}
		}
		t.Errorf("no port %s", name)
		return 0
	}
	if c.StartupProbe == nil || port(c.StartupProbe.HTTPGet.Port.StrVal) != 2021 || c.StartupProbe.HTTPGet.Path != "/healthz" {
		t.Errorf("startup probe %+v", c.StartupProbe)
	}
	if c.LivenessProbe == nil || c.LivenessProbe.Exec == nil || !slices.Equal(c.LivenessProbe.Exec.Command, []string{"/opt/flbgo/bin/healthcheck"}) {
		t.Errorf("liveness probe %+v", c.LivenessProbe)
	}
	// Every variable of the configuration has a value: here, in the map or in the image.
	given := map[string]bool{"KAFKA_BROKERS": true, "KAFKA_TOPIC": true}
	for _, e := range c.Env {
		given[e.Name] = true
	}
	for _, name := range imageEnvironment(t) {
		given[name] = true
	}
	b, err := os.ReadFile(filepath.Join(root, conf))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllSubmatch(b, -1) {
		if !given[string(m[1])] {
			t.Errorf("%s of %s has no value", m[1], conf)
		}
	}
	// What can be written to is a volume, and what is mounted is there.
	volumes, writable := map[string]bool{}, false
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("no volume %s", m.Name)
		}
		writable = writable || m.MountPath == "/var/lib/fluent-bit" && !m.ReadOnly
	}
	if !writable {
		t.Error("STATE_DIR is no volume")
	}
	if g := pod.TerminationGracePeriodSeconds; g == nil || *g < 15 {
		t.Error("a stop takes Grace and what flushes need")
	}
	if !slices.ContainsFunc(c.EnvFrom, func(e corev1.EnvFromSource) bool { return e.ConfigMapRef != nil }) {
		t.Error("no map of the environment")
	}
}

// imageEnvironment are the names that the Dockerfile sets.
func imageEnvironment(t *testing.T) (names []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, env, _ := strings.Cut(string(b), "\nENV ")
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+)=`).FindAllStringSubmatch("\n"+env, -1) {
		names = append(names, m[1])
	}
	if len(names) < 5 {
		t.Fatalf("the Dockerfile sets only %v", names)
	}
	return names
}

// scraped: the annotations and the monitor name the same ports as the container.
func scraped(t *testing.T, objects []any, labels, annotations map[string]string, c *corev1.Container) {
	t.Helper()
	var names []string
	for _, p := range c.Ports {
		names = append(names, p.Name)
		if strconv.Itoa(int(p.ContainerPort)) == annotations["prometheus.io/port"] {
			annotations["found"] = "true"
		}
	}
	if annotations["prometheus.io/scrape"] != "true" || annotations["found"] != "true" {
		t.Errorf("annotations %v", annotations)
	}
	m := one[monitoringv1.PodMonitor](t, objects)
	for key, value := range m.Spec.Selector.MatchLabels {
		if labels[key] != value {
			t.Errorf("the monitor selects %s=%s, pods have %v", key, value, labels)
		}
	}
	var monitored []string
	for _, e := range m.Spec.PodMetricsEndpoints {
		monitored = append(monitored, *e.Port)
		// The operator would call the job by namespace and name, and the alerts ask for this one.
		if len(e.RelabelConfigs) != 1 || e.RelabelConfigs[0].TargetLabel != "job" || *e.RelabelConfigs[0].Replacement != scrapeJob(t) {
			t.Errorf("port %s: relabelings %+v", *e.Port, e.RelabelConfigs)
		}
	}
	if !slices.Equal(monitored, names) {
		t.Errorf("ports %v, monitored %v", names, monitored)
	}
}

// scrapeJob is what conf/prometheus calls the job, and what its alerts name.
func scrapeJob(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "conf/prometheus/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`job_name: (\S+)`).FindSubmatch(b)
	alerts, err := os.ReadFile(filepath.Join(root, "conf/prometheus/alerts.yml"))
	if err != nil || name == nil || !bytes.Contains(alerts, []byte(`up{job="`+string(name[1])+`"}`)) {
		t.Fatalf("job %q, %v", name, err)
	}
	return string(name[1])
}

func TestSidecar(t *testing.T) {
	objects := built(t, "sidecar")
	d := one[appsv1.Deployment](t, objects)
	pod := &d.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || pod.InitContainers[0].RestartPolicy == nil || *pod.InitContainers[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Fatal("the sidecar has to start before the application and to stop after it")
	}
	c := &pod.InitContainers[0]
	checkContainer(t, c, pod, "conf/sidecar/fluent-bit.conf")
	scraped(t, objects, d.Spec.Template.Labels, d.Spec.Template.Annotations, c)
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the sidecar needs no token")
	}
	if c.SecurityContext.RunAsUser == nil || *c.SecurityContext.RunAsUser == 0 || pod.SecurityContext.FSGroup == nil {
		t.Error("the sidecar runs as a user without rights, to whose group the volumes belong")
	}
	// Namespaces of the restricted level refuse a pod for any of its containers.
	if pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot {
		t.Error("runAsNonRoot")
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Capabilities == nil ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s: security context %+v", c.Name, s)
		}
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			t.Errorf("volume %s is the node's", v.Name)
		}
	}
	if c.ReadinessProbe != nil {
		t.Error("the application would be taken out of service when Kafka is away")
	}
	for key, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[key] != value {
			t.Errorf("selector %s=%s", key, value)
		}
	}
}

func TestDaemonSet(t *testing.T) {
	objects := built(t, "daemonset")
	d := one[appsv1.DaemonSet](t, objects)
	pod := &d.Spec.Template.Spec
	c := &pod.Containers[0]
	checkContainer(t, c, pod, "conf/kubernetes/daemonset/fluent-bit.conf")
	scraped(t, objects, d.Spec.Template.Labels, d.Spec.Template.Annotations, c)
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Port.StrVal != "log-delivery" {
		t.Errorf("readiness probe %+v", c.ReadinessProbe)
	}
	if d.Spec.Template.Annotations["fluentbit.io/exclude"] != "true" {
		t.Error("it reads its own lines: each try without Kafka writes some, which make chunks to be tried")
	}
	// As little as the filter needs.
	role := one[rbacv1.ClusterRole](t, objects)
	if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].Verbs, []string{"get"}) || !slices.Equal(role.Rules[0].Resources, []string{"pods"}) ||
		!slices.Equal(role.Rules[0].APIGroups, []string{""}) {
		t.Errorf("rules %+v", role.Rules)
	}
	account, binding := one[corev1.ServiceAccount](t, objects), one[rbacv1.ClusterRoleBinding](t, objects)
	if pod.ServiceAccountName != account.Name || len(binding.Subjects) != 1 || binding.Subjects[0].Name != account.Name ||
		binding.Subjects[0].Namespace != account.Namespace || binding.RoleRef.Name != role.Name {
		t.Errorf("account %s/%s, binding %+v", account.Namespace, account.Name, binding)
	}
	// The configuration comes from the map that is made of the file which the test of Fluent Bit starts.
	maps := map[string]*corev1.ConfigMap{}
	for _, m := range all[corev1.ConfigMap](objects) {
		maps[m.Name] = m
	}
	file, err := os.ReadFile(filepath.Join(root, "conf/kubernetes/daemonset/fluent-bit.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil && (maps[v.ConfigMap.Name] == nil || maps[v.ConfigMap.Name].Data["fluent-bit.conf"] != string(file)) {
			t.Errorf("the map %s is not the file", v.ConfigMap.Name)
		}
	}
	for _, o := range []string{d.Namespace, account.Namespace} {
		if o != one[corev1.Namespace](t, objects).Name {
			t.Errorf("namespace %s", o)
		}
	}
}
