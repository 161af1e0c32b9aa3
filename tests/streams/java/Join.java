import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;

/** An outer join of two streams: each pair of a key within the window once, and each value alone that is in no pair. */
final class Join {
    /** As join.py has them. */
    private static final Duration WINDOW = Duration.ofSeconds(13);
    private static final Duration GRACE = Duration.ofSeconds(13);

    private Join() {
    }

    static Topology topology(String left, String right, String pairs) {
        StreamsBuilder builder = new StreamsBuilder();
        Consumed<String, String> consumed = Consumed.with(Serdes.String(), Serdes.String());
        builder.stream(left, consumed)
                .outerJoin(builder.stream(right, consumed), (one, other) -> one + "+" + other,
                        JoinWindows.ofTimeDifferenceAndGrace(WINDOW, GRACE),
                        StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String()).withName("pairs"))
                .to(pairs, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }
}
