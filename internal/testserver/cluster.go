package testserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is how many hash slots a Redis cluster has.
const slots = 16384

// Cluster is a Redis cluster: the masters first, then their replicas in the same order.
type Cluster struct {
	Nodes   []*Server
	Masters int
}

// StartCluster starts a Redis cluster of masters nodes, each with as many replicas as asked for, and returns when every
// slot is served. A master that fails is replaced after about a second.
func StartCluster(ctx context.Context, masters, replicas int) (*Cluster, error) {
	c := &Cluster{Masters: masters}
	for range masters * (1 + replicas) {
		if err := c.addNode(ctx); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	if err := c.join(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("testserver: cluster: %w", err), c.Stop())
	}
	return c, nil
}

// Addrs returns the nodes' host:port.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

// URL returns the cluster's address: redis+cluster://host:port,host:port.
func (c *Cluster) URL() string { return "redis+cluster://" + strings.Join(c.Addrs(), ",") }

// Stop stops all nodes.
func (c *Cluster) Stop() error { return stopAll(c.Nodes) }

func (c *Cluster) addNode(ctx context.Context) error {
	bus, err := freePort()
	if err != nil {
		return err
	}
	s, err := Start(ctx, Spec{Kind: KindRedis, Args: []string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0",
		"--cluster-port", fmt.Sprint(bus), "--repl-diskless-sync-delay", "0",
	}})
	if err != nil {
		return err
	}
	c.Nodes = append(c.Nodes, s)
	return nil
}

// join gives the masters their slots, makes the nodes meet, attaches the replicas and waits for agreement.
func (c *Cluster) join(ctx context.Context) error {
	clients := make([]*redis.Client, len(c.Nodes))
	for i, n := range c.Nodes {
		clients[i] = redis.NewClient(&redis.Options{Addr: n.Addr()})
		defer func() { _ = clients[i].Close() }()
	}
	for i := range c.Masters {
		first, last := i*slots/c.Masters, (i+1)*slots/c.Masters-1
		if err := clients[i].ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
	}
	bus, err := busPorts(ctx, clients)
	if err != nil {
		return err
	}
	for i, n := range c.Nodes[1:] {
		if err := clients[0].Do(ctx, "cluster", "meet", "127.0.0.1", n.port, bus[i+1]).Err(); err != nil {
			return err
		}
	}
	if err := c.replicate(ctx, clients); err != nil {
		return err
	}
	return until(ctx, func() bool { return c.agreed(ctx, clients) })
}

// replicate attaches node i to master i modulo the masters, once the nodes have heard of each other.
func (c *Cluster) replicate(ctx context.Context, clients []*redis.Client) error {
	for i := c.Masters; i < len(clients); i++ {
		id, err := clients[i%c.Masters].ClusterMyID(ctx).Result()
		if err != nil {
			return err
		}
		attach := func() bool { return clients[i].ClusterReplicate(ctx, id).Err() == nil }
		if err := until(ctx, attach); err != nil {
			return err
		}
	}
	return nil
}

// agreed reports whether every node sees all others and all slots, and every replica its master.
func (c *Cluster) agreed(ctx context.Context, clients []*redis.Client) bool {
	for i, cl := range clients {
		info, err := cl.ClusterInfo(ctx).Result()
		if err != nil || !strings.Contains(info, "cluster_state:ok") ||
			!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(clients))) ||
			!c.sharded(ctx, cl) || i >= c.Masters && !linked(ctx, cl) {
			return false
		}
	}
	return true
}

// sharded reports whether the node sees as many shards as there are masters, each with all its nodes.
func (c *Cluster) sharded(ctx context.Context, cl *redis.Client) bool {
	shards, err := cl.ClusterShards(ctx).Result()
	if err != nil || len(shards) != c.Masters {
		return false
	}
	for _, s := range shards {
		if len(s.Slots) == 0 || len(s.Nodes) != len(c.Nodes)/c.Masters {
			return false
		}
	}
	return true
}

// linked reports whether a replica has caught up with its master.
func linked(ctx context.Context, cl *redis.Client) bool {
	info, err := cl.Info(ctx, "replication").Result()
	return err == nil && strings.Contains(info, "master_link_status:up")
}

func busPorts(ctx context.Context, clients []*redis.Client) ([]string, error) {
	ports := make([]string, len(clients))
	for i, cl := range clients {
		conf, err := cl.ConfigGet(ctx, "cluster-port").Result()
		if err != nil {
			return nil, err
		}
		ports[i] = conf["cluster-port"]
	}
	return ports, nil
}

// Sentinel is a Redis master with one replica and three sentinels that watch over them.
type Sentinel struct {
	// Name is what the sentinels call the master.
	Name string
	// Master and Replica are the roles at the start; a failover swaps them.
	Master, Replica *Server
	Sentinels       []*Server
}

// StartSentinel starts a master, a replica and three sentinels with a quorum of two, and returns when the sentinels know
// each other and the replica. A master that does not answer for half a second is replaced.
func StartSentinel(ctx context.Context) (*Sentinel, error) {
	s := &Sentinel{Name: "main"}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// URL returns the address: redis+sentinel://name@host:port,host:port,host:port.
func (s *Sentinel) URL() string {
	return "redis+sentinel://" + s.Name + "@" + strings.Join(addrs(s.Sentinels), ",")
}

// Stop stops sentinels, replica and master.
func (s *Sentinel) Stop() error {
	return stopAll(append(slices.Clip(s.Sentinels), s.Replica, s.Master))
}

func (s *Sentinel) start(ctx context.Context) (err error) {
	fast := []string{"--repl-diskless-sync-delay", "0"}
	if s.Master, err = Start(ctx, Spec{Kind: KindRedis, Args: fast}); err != nil {
		return err
	}
	replica := Spec{Kind: KindRedis, Args: append(fast, "--replicaof", fmt.Sprintf("127.0.0.1 %d", s.Master.port))}
	if s.Replica, err = Start(ctx, replica); err != nil {
		return err
	}
	config := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 2\nsentinel down-after-milliseconds %[1]s 500\n"+
		"sentinel failover-timeout %[1]s 2000\n", s.Name, s.Master.port)
	for range 3 {
		n, err := Start(ctx, Spec{Kind: KindSentinel, Config: config})
		if err != nil {
			return err
		}
		s.Sentinels = append(s.Sentinels, n)
	}
	for _, n := range s.Sentinels {
		if err := s.introduced(ctx, n); err != nil {
			return fmt.Errorf("testserver: sentinel: %w", err)
		}
	}
	return nil
}

// introduced waits until the sentinel n knows the replica and the other two sentinels.
func (s *Sentinel) introduced(ctx context.Context, n *Server) error {
	cl := redis.NewSentinelClient(&redis.Options{Addr: n.Addr()})
	defer func() { _ = cl.Close() }()
	return until(ctx, func() bool {
		m, err := cl.Master(ctx, s.Name).Result()
		return err == nil && m["num-slaves"] == "1" && m["num-other-sentinels"] == "2" && m["flags"] == "master"
	})
}

// until polls cond until it holds.
func until(ctx context.Context, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !cond() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("did not get ready: %w", ctx.Err())
		}
	}
	return nil
}

func addrs(servers []*Server) []string {
	out := make([]string, len(servers))
	for i, s := range servers {
		out[i] = s.Addr()
	}
	return out
}

func stopAll(servers []*Server) error {
	var errs []error
	for _, s := range servers {
		if s != nil {
			errs = append(errs, s.Stop())
		}
	}
	return errors.Join(errs...)
}
