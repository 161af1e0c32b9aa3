// Makes cases.txt: random groups, and what the assignors of Apache Kafka's Java client give their members.
//   java -cp kafka-clients-4.2.1.jar:slf4j-api.jar Cases.java >cases.txt
// One line for each topic (name, partitions), each member (id, instance, generation, topics, what it had, the sticky
// assignor's user data), in the order in which the leader hears of them, and each assignor (for each partition, topics in
// the order of their names, the place of the member that gets it).

import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class Cases {
    static final Random random = new Random(4711);

    static class Member {
        String id = "consumer-" + random.nextInt(3) + "-" + new UUID(random.nextLong(), random.nextLong());
        String instance = random.nextInt(4) == 0 ? "i" + random.nextInt(1000) : null;
        int generation = -1;
        List<String> topics = new ArrayList<>();
        List<TopicPartition> owned = new ArrayList<>();
    }

    static Map<String, Integer> topics = new TreeMap<>();
    static List<Member> members = new ArrayList<>();
    static boolean sameTopics;

    public static void main(String[] args) {
        System.out.println("# Made by Cases.java beside this with kafka-clients 4.2.1; the head of that file says what is what.");
        for (int group = 0; group < 75; group++) {
            topics.clear();
            members.clear();
            sameTopics = random.nextInt(2) == 0;
            for (int topic = 0; topic <= random.nextInt(5); topic++) topics.put("t" + topic, random.nextInt(8));
            for (int member = 0; member <= random.nextInt(7); member++) join();
            for (int generation = 1; generation <= 5; generation++) {
                one(generation);
                change(generation);
            }
        }
    }

    static void join() {
        Member member = new Member();
        choose(member);
        members.add(member);
    }

    static void choose(Member member) {
        member.topics.clear();
        for (String topic : topics.keySet()) if (sameTopics || random.nextInt(3) > 0) member.topics.add(topic);
        if (member.topics.isEmpty()) member.topics.add(topics.keySet().iterator().next());
    }

    static void change(int generation) {
        if (random.nextInt(3) > 0) for (int more = random.nextInt(3); more > 0; more--) join();
        while (members.size() > 1 && random.nextInt(3) == 0) members.remove(random.nextInt(members.size()));
        if (random.nextInt(3) == 0) topics.computeIfPresent("t" + random.nextInt(5), (name, count) -> count + random.nextInt(4));
        if (!sameTopics && random.nextInt(2) == 0) choose(members.get(random.nextInt(members.size())));
        if (random.nextInt(4) == 0) Collections.shuffle(members, random);
        // Some come back late, with what they had in an older generation, or claim what others have.
        if (random.nextInt(3) == 0) members.get(random.nextInt(members.size())).generation -= 1 + random.nextInt(2);
        if (random.nextInt(3) == 0) {
            Member thief = members.get(random.nextInt(members.size())), victim = members.get(random.nextInt(members.size()));
            for (TopicPartition partition : victim.owned)
                if (random.nextBoolean() && !thief.owned.contains(partition)) thief.owned.add(partition);
        }
        for (Member member : members) member.generation = Math.max(-1, member.generation);
    }

    static void one(int generation) {
        System.out.println("case");
        topics.forEach((name, count) -> System.out.println("topic " + name + " " + count));
        for (Member member : members) {
            ByteBuffer data = stickyData(member);
            System.out.println("member " + member.id + " " + orDash(member.instance) + " " + member.generation + " "
                + String.join(",", member.topics) + " " + orDash(member.owned.stream().map(p -> p.topic() + ":" + p.partition()).collect(Collectors.joining(",")))
                + " " + orDash(data == null ? null : HexFormat.of().formatHex(data.array())));
        }
        show("range", new RangeAssignor(), false);
        show("roundrobin", new RoundRobinAssignor(), false);
        Map<String, Assignment> sticky = show("sticky", new StickyAssignor(), true);
        show("cooperative-sticky", new CooperativeStickyAssignor(), false);
        for (Member member : members) {
            member.owned = new ArrayList<>(sticky.get(member.id).partitions());
            member.generation = generation;
        }
    }

    static String orDash(String text) {
        return text == null || text.isEmpty() ? "-" : text;
    }

    static ByteBuffer stickyData(Member member) {
        StickyAssignor assignor = new StickyAssignor();
        if (member.generation >= 0 || !member.owned.isEmpty())
            assignor.onAssignment(new Assignment(member.owned), new ConsumerGroupMetadata("g", member.generation, member.id, Optional.empty()));
        return assignor.subscriptionUserData(new HashSet<>(member.topics));
    }

    static Map<String, Assignment> show(String name, ConsumerPartitionAssignor assignor, boolean eager) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member member : members) {
            Subscription subscription = new Subscription(member.topics, eager ? stickyData(member) : null,
                eager ? Collections.emptyList() : member.owned, member.generation, Optional.empty());
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance));
            subscriptions.put(member.id, subscription);
        }
        Node node = new Node(1, "localhost", 9092);
        List<PartitionInfo> partitions = new ArrayList<>();
        topics.forEach((topic, count) -> {
            for (int number = 0; number < count; number++)
                partitions.add(new PartitionInfo(topic, number, node, new Node[] {node}, new Node[] {node}));
        });
        Cluster cluster = new Cluster("c", List.of(node), partitions, Set.of(), Set.of());
        Map<String, Assignment> assigned = assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
        Map<TopicPartition, Integer> owners = new HashMap<>();
        for (int place = 0; place < members.size(); place++)
            for (TopicPartition partition : assigned.get(members.get(place).id).partitions())
                if (owners.put(partition, place) != null) throw new IllegalStateException(partition + " is assigned twice");
        StringBuilder line = new StringBuilder(name);
        topics.forEach((topic, count) -> {
            for (int number = 0; number < count; number++) {
                Integer owner = owners.remove(new TopicPartition(topic, number));
                line.append(' ').append(owner == null ? "-" : owner.toString());
            }
        });
        if (!owners.isEmpty()) throw new IllegalStateException(owners + " do not exist");
        System.out.println(line);
        return assigned;
    }
}
