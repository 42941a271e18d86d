package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ecsVariable holds the address of the task metadata endpoint, on EC2 as on Fargate.
const ecsVariable = "ECS_CONTAINER_METADATA_URI_V4"

const (
	ecsTimeout = 5 * time.Second
	ecsMaxBody = 1 << 20
)

// ecsTask is what the endpoint's /task says, as far as it is used.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
type ecsTask struct {
	Cluster, TaskARN, Family, Revision, ServiceName, AvailabilityZone, LaunchType string
}

// ecsContainer is what the endpoint itself says of the container that asks: labels with the same, less of it.
type ecsContainer struct{ Labels map[string]string }

// readECS asks the task metadata endpoint, version 4. The task is what Fluent Bit shares with the application beside it;
// the container is Fluent Bit's own, and only its labels stand in where /task does not answer.
func readECS(ctx context.Context, s *System) ([]Attribute, State, error) {
	base := s.env(ecsVariable)
	if base == "" {
		return nil, Absent, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ecsTimeout)
	defer cancel()
	// Not the default client: a proxy of the environment has no way to the endpoint.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var task ecsTask
	err := getJSON(ctx, client, strings.TrimSuffix(base, "/")+"/task", &task)
	if err == nil && task.TaskARN == "" {
		err = fmt.Errorf("%s/task names no task", ecsVariable)
	}
	if err != nil {
		var c ecsContainer
		if getJSON(ctx, client, base, &c) != nil || c.Labels["com.amazonaws.ecs.task-arn"] == "" {
			return nil, Failed, err
		}
		task = ecsTask{
			Cluster:  c.Labels["com.amazonaws.ecs.cluster"],
			TaskARN:  c.Labels["com.amazonaws.ecs.task-arn"],
			Family:   c.Labels["com.amazonaws.ecs.task-definition-family"],
			Revision: c.Labels["com.amazonaws.ecs.task-definition-version"],
		}
	}
	return task.attributes(), Found, nil
}

// getJSON asks an address. Its errors do not repeat what in it may be a password, as net/url's would.
func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%s is no URL, for example http://169.254.170.2/v4/task-id", ecsVariable)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%s: %s cannot be asked", ecsVariable, u.Redacted())
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", u.Redacted(), resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, ecsMaxBody)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return nil
}

// attributes has OpenTelemetry's names for a task. A cluster may be named or be an ARN; the ARN of the task has the
// region and the account in it: arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c
func (t *ecsTask) attributes() []Attribute {
	attrs := add(nil, "service.name", t.ServiceName)
	part := strings.Split(t.TaskARN, ":")
	if len(part) >= 6 && part[0] == "arn" {
		attrs = add(attrs, "cloud.region", part[3])
		attrs = add(attrs, "cloud.account.id", part[4])
	}
	attrs = add(attrs, "cloud.availability_zone", t.AvailabilityZone)
	attrs = add(attrs, "cloud.provider", "aws")
	attrs = add(attrs, "cloud.platform", "aws_ecs")
	cluster := t.Cluster
	if len(part) >= 6 && !strings.HasPrefix(cluster, "arn:") && cluster != "" {
		cluster = strings.Join(part[:5], ":") + ":cluster/" + cluster
	}
	attrs = add(attrs, "aws.ecs.cluster.arn", cluster)
	attrs = add(attrs, "aws.ecs.task.arn", t.TaskARN)
	attrs = add(attrs, "aws.ecs.task.family", t.Family)
	attrs = add(attrs, "aws.ecs.task.revision", t.Revision)
	return add(attrs, "aws.ecs.launchtype", strings.ToLower(t.LaunchType))
}
