import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BinaryOperator;
import java.util.function.Function;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.Stores;

/** The same programs as in ours/cases.rs, by their names. */
final class Cases {
    /** So long that nothing is lost where time leaps. */
    private static final Duration RETENTION = Duration.ofDays(7);

    private final StreamsBuilder builder = new StreamsBuilder();
    private final Map<String, Long> parameters;

    private Cases(Map<String, Long> parameters) {
        this.parameters = parameters;
    }

    static Topology topology(String name, Map<String, Long> parameters) {
        Cases cases = new Cases(parameters);
        String[] parts = name.split("-", 2);
        switch (parts[0]) {
            case "steps" -> cases.steps();
            case "words" -> cases.words();
            case "counts" -> cases.counts();
            case "limit" -> cases.limit();
            case "tumbling", "hopping", "sliding" -> cases.windows(cases.grouped(), parts[0], parts[1], Cases::with);
            case "session" -> cases.sessions(cases.grouped(), parts[1], Cases::with, Cases::with);
            case "flights" -> cases.flights(parts[1]);
            case "readings" -> cases.totals(cases.grouped(), parts[1]);
            case "streams", "apart" -> cases.streams(parts[0], parts[1]);
            case "lookup" -> cases.lookup(parts[1]);
            case "versions" -> cases.versions();
            case "settled" -> cases.settled(parts[1]);
            case "tables" -> cases.tables(parts[1]);
            case "foreign" -> cases.foreign(parts[1]);
            case "groups" -> cases.groups();
            default -> throw new IllegalArgumentException("there is no case " + name);
        }
        return cases.builder.build();
    }

    private Duration ms(String name) {
        return Duration.ofMillis(parameters.get(name));
    }

    private KStream<String, String> in() {
        return builder.stream("in");
    }

    private KGroupedStream<String, String> grouped() {
        return in().groupByKey(Grouped.with(Serdes.String(), Serdes.String()));
    }

    /** What is held back until windows close must know its serdes. */
    private static <K, S extends StateStore> Materialized<K, String, S> texts(Duration retention) {
        return Materialized.<K, String, S>with(null, Serdes.String()).withRetention(retention);
    }

    private void steps() {
        Map<String, KStream<String, String>> branches = in()
                .filter((key, value) -> value != null && !value.endsWith("0"))
                .flatMap((key, value) -> List.of(KeyValue.pair(value, key), KeyValue.pair(key, value + "!")))
                .split(Named.as("b-"))
                .branch((key, value) -> value != null && value.endsWith("!"), Branched.as("marked"))
                .defaultBranch(Branched.as("rest"));
        branches.get("b-marked").mapValues(value -> value + "?")
                .merge(branches.get("b-rest").selectKey((key, value) -> "k" + key)).to("out");
    }

    private void words() {
        in().flatMapValues(line -> line == null ? List.of() : List.of(line.split(" ")))
                .groupBy((key, word) -> word).count().toStream().mapValues(String::valueOf).to("out");
    }

    private void counts() {
        grouped().count().filter((key, count) -> count % 3 != 0).toStream().mapValues(Cases::text).to("out");
    }

    private void limit() {
        grouped().count().suppress(Suppressed.untilTimeLimit(ms("limit"), Suppressed.BufferConfig.unbounded()))
                .toStream().mapValues(String::valueOf).to("out");
    }

    private static String text(Object value) {
        return value == null ? null : String.valueOf(value);
    }

    /** Values that came together, in the order of their coming. */
    private static String with(String all, String value) {
        return all.isEmpty() ? value : value == null || value.isEmpty() ? all : all + "," + value;
    }

    private void windows(KGroupedStream<String, String> grouped, String kind, String emission, BinaryOperator<String> add) {
        TimeWindowedKStream<String, String> windowed = switch (kind) {
            case "tumbling" -> grouped.windowedBy(TimeWindows.ofSizeAndGrace(ms("size"), ms("grace")));
            case "hopping" -> grouped.windowedBy(TimeWindows.ofSizeAndGrace(ms("size"), ms("grace")).advanceBy(ms("advance")));
            default -> grouped.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms("size"), ms("grace")));
        };
        if (emission.equals("close")) {
            windowed = windowed.emitStrategy(EmitStrategy.onWindowClose());
        }
        write(windowed.aggregate(() -> "", (key, value, all) -> add.apply(all, String.valueOf(value)), texts(RETENTION)), emission);
    }

    private void sessions(KGroupedStream<String, String> grouped, String emission, BinaryOperator<String> add, BinaryOperator<String> merge) {
        SessionWindowedKStream<String, String> sessions =
                grouped.windowedBy(SessionWindows.ofInactivityGapAndGrace(ms("size"), ms("grace")));
        if (emission.equals("close")) {
            sessions = sessions.emitStrategy(EmitStrategy.onWindowClose());
        }
        // Until a session is closed, so that it is not opened again.
        Duration kept = emission.equals("close") ? RETENTION : ms("size").plus(ms("grace")).plusMillis(1);
        write(sessions.aggregate(() -> "", (key, value, all) -> add.apply(all, String.valueOf(value)), (key, one, other) -> merge.apply(one, other),
                texts(kept)), emission);
    }

    private static void write(KTable<Windowed<String>, String> table, String emission) {
        KTable<Windowed<String>, String> shown = emission.equals("suppress")
                ? table.suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())) : table;
        shown.toStream((key, value) -> key.key() + "@" + key.window().start() + ".." + key.window().end()).to("out");
    }

    /** Two topics, or ("apart") one whose records are told apart by their values. */
    private void streams(String kind, String how) {
        KStream<String, String> left = kind.equals("streams") ? builder.stream("left") : in().filter((key, value) -> value == null || value.startsWith("l"));
        KStream<String, String> right = kind.equals("streams") ? builder.stream("right")
                : in().filter((key, value) -> value != null && value.startsWith("r"));
        JoinWindows windows = JoinWindows.ofTimeDifferenceAndGrace(ms("before"), ms("grace")).after(ms("after"));
        ValueJoiner<String, String, String> join = (one, other) -> one + "+" + other;
        switch (how) {
            case "inner" -> left.join(right, join, windows).to("out");
            case "left" -> left.leftJoin(right, join, windows).to("out");
            default -> left.outerJoin(right, join, windows).to("out");
        }
    }

    private void lookup(String how) {
        KTable<String, String> table = builder.table("right");
        KStream<String, String> stream = builder.stream("left");
        ValueJoiner<String, String, String> join = (one, other) -> one + "+" + other;
        (how.equals("inner") ? stream.join(table, join) : stream.leftJoin(table, join)).to("out");
    }

    private KTable<String, String> versioned() {
        return builder.table("right", Materialized.as(Stores.persistentVersionedKeyValueStore("versions", ms("history"))));
    }

    private void versions() {
        builder.<String, String>stream("left").leftJoin(versioned(), (one, other) -> one + "+" + other).to("out");
    }

    /** What waits for late values of the table. */
    private void settled(String how) {
        KTable<String, String> table = versioned();
        KStream<String, String> stream = builder.stream("left");
        Joined<String, String, String> joined = Joined.<String, String, String>as("waiting").withGracePeriod(ms("grace"));
        ValueJoiner<String, String, String> join = (one, other) -> one + "+" + other;
        (how.equals("inner") ? stream.join(table, join, joined) : stream.leftJoin(table, join, joined)).to("out");
    }

    private void tables(String how) {
        KTable<String, String> left = builder.table("left");
        KTable<String, String> right = builder.table("right");
        ValueJoiner<String, String, String> join = (one, other) -> one + "+" + other;
        KTable<String, String> joined = switch (how) {
            case "inner" -> left.join(right, join);
            case "left" -> left.leftJoin(right, join);
            default -> left.outerJoin(right, join);
        };
        joined.filter((key, value) -> !value.endsWith("5")).toStream().to("out");
    }

    /** Values name the key of the other table with their last digits, but for those that end with 9. */
    private void foreign(String how) {
        KTable<String, String> left = builder.table("left");
        KTable<String, String> right = builder.table("right");
        Function<String, String> named = value -> value.endsWith("9") ? null : value.substring(value.length() - 1);
        ValueJoiner<String, String, String> join = (one, other) -> one + "+" + other;
        (how.equals("inner") ? left.join(right, named, join) : left.leftJoin(right, named, join)).toStream().to("out");
    }

    /** Delays of flights, with the states of the airports that they leave from. */
    private void flights(String kind) {
        KTable<String, String> airports = builder.table("airports");
        KGroupedStream<String, String> delays = builder.<String, String>stream("flights")
                .join(airports, (delay, state) -> state + " " + delay)
                .map((airport, text) -> KeyValue.pair(text.split(" ")[0], text.split(" ")[1]))
                .groupByKey(Grouped.with(Serdes.String(), Serdes.String()));
        totals(delays, kind);
    }

    /** The number of values, their sum and the largest. */
    private void totals(KGroupedStream<String, String> values, String kind) {
        BinaryOperator<String> add = (all, value) -> both(all, "1 " + value + " " + value);
        if (kind.equals("session")) {
            sessions(values, "suppress", add, Cases::both);
        } else {
            windows(values, kind, "suppress", add);
        }
    }

    /** The same of two such things. */
    private static String both(String one, String other) {
        if (one.isEmpty() || other.isEmpty()) {
            return one + other;
        }
        String[] a = one.split(" ");
        String[] b = other.split(" ");
        return (Long.parseLong(a[0]) + Long.parseLong(b[0])) + " " + (Long.parseLong(a[1]) + Long.parseLong(b[1])) + " "
                + Math.max(Long.parseLong(a[2]), Long.parseLong(b[2]));
    }

    /** The values of a table by their last digits. */
    private void groups() {
        builder.<String, String>table("in")
                .groupBy((key, value) -> KeyValue.pair(value.substring(value.length() - 1), value), Grouped.with(Serdes.String(), Serdes.String()))
                .aggregate(() -> "", (key, value, all) -> with(all, value), (key, value, all) -> without(all, value))
                .toStream().to("out");
    }

    private static String without(String all, String value) {
        List<String> values = new ArrayList<>(List.of(all.split(",")));
        values.remove(value);
        return values.isEmpty() ? null : String.join(",", values);
    }
}
