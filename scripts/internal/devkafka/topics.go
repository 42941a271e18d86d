package devkafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is a topic to create.
type Topic struct {
	Name       string
	Partitions int32
}

// Kafka's rule for names of topics, which kfake does not apply to its seeds.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// ParseTopics reads "name:partitions,name:partitions"; ":partitions" may be
// left out and is 1 then. The error names everything that is wrong.
func ParseTopics(s string) ([]Topic, error) {
	var topics []Topic
	var errs []error
	seen := map[string]bool{}
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, parts, ok := strings.Cut(item, ":")
		n := 1
		if ok {
			var err error
			if n, err = strconv.Atoi(parts); err != nil || n < 1 || n > 10000 {
				errs = append(errs, fmt.Errorf("topics: %q: partitions are a number from 1 to 10000, for example %s", item, DefaultTopics))
				continue
			}
		}
		switch {
		case !topicName.MatchString(name) || name == "." || name == "..":
			errs = append(errs, fmt.Errorf("topics: %q is no name of a topic: 1 to 249 letters, digits, dots, - and _", name))
		case seen[name]:
			errs = append(errs, fmt.Errorf("topics: %q is given twice", name))
		}
		seen[name] = true
		topics = append(topics, Topic{name, int32(n)})
	}
	return topics, errors.Join(errs...)
}

// ensureTopics creates the topics and partitions that the broker at addr does
// not have yet.
func ensureTopics(ctx context.Context, addr string, topics []Topic) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	// To the seed itself: the address that the broker advertises may not be
	// reachable from here.
	seed := cl.SeedBrokers()[0]

	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 10_000
	want := make(map[string]int32, len(topics))
	for _, t := range topics {
		want[t.Name] = t.Partitions
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Name, t.Partitions, 1
		create.Topics = append(create.Topics, rt)
	}
	if len(topics) == 0 {
		return nil
	}
	resp, err := seed.RetriableRequest(ctx, create)
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	grow := kmsg.NewPtrCreatePartitionsRequest()
	grow.TimeoutMillis = create.TimeoutMillis
	for _, rt := range resp.(*kmsg.CreateTopicsResponse).Topics {
		switch err := kerr.ErrorForCode(rt.ErrorCode); {
		case err == nil:
		case errors.Is(err, kerr.TopicAlreadyExists):
			gt := kmsg.NewCreatePartitionsRequestTopic()
			gt.Topic, gt.Count = rt.Topic, want[rt.Topic]
			grow.Topics = append(grow.Topics, gt)
		default:
			return fmt.Errorf("creating topic %s: %w", rt.Topic, err)
		}
	}
	if len(grow.Topics) == 0 {
		return nil
	}
	resp, err = seed.RetriableRequest(ctx, grow)
	if err != nil {
		return fmt.Errorf("adding partitions: %w", err)
	}
	for _, gt := range resp.(*kmsg.CreatePartitionsResponse).Topics {
		// Invalid: the topic has as many partitions already, or more.
		if err := kerr.ErrorForCode(gt.ErrorCode); err != nil && !errors.Is(err, kerr.InvalidPartitions) {
			return fmt.Errorf("adding partitions to topic %s: %w", gt.Topic, err)
		}
	}
	return nil
}
