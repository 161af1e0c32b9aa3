package interop;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;

/** One client's run: its options, the access log, and a line per case. */
final class Run {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final long DEADLINE_MS = 60_000;
    private static final Pattern SEEN_CODEC = Pattern.compile("\"codec\": \"(\\w+)\"");

    interface Body {
        void run() throws Exception;
    }

    interface Step {
        void run() throws InterruptedException;
    }

    static final class Failed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failed(String message) {
            super(message);
        }
    }

    final String client;
    final String bootstrap;
    final List<String> lines;
    private final Map<String, String> options;
    private int cases;

    Run(String[] arguments) throws IOException {
        options = new HashMap<>();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at], arguments[at + 1]);
        }
        client = option("--client");
        bootstrap = option("--bootstrap");
        lines = linesOf(option("--log"));
    }

    String option(String name) {
        return Objects.requireNonNull(options.get(name), name);
    }

    Optional<String> optional(String name) {
        return Optional.ofNullable(options.get(name));
    }

    private static List<String> linesOf(String path) throws IOException {
        try (var bytes = new GZIPInputStream(new FileInputStream(path));
                var reader = new BufferedReader(new InputStreamReader(bytes, StandardCharsets.UTF_8))) {
            return reader.lines().collect(Collectors.toList());
        }
    }

    String topic(String name) {
        return "interop-" + option("--tag") + "-" + client + "-" + name;
    }

    /** Runs one case; an exception is its failure. */
    void test(String name, Body body) {
        if (!name.contains(options.getOrDefault("--case", ""))) {
            return;
        }
        cases += 1;
        long start = System.nanoTime();
        try {
            body.run();
            double seconds = (System.nanoTime() - start) / 1e9;
            System.out.printf("ok   %s: %s (%.1f s)%n", client, name, seconds);
        } catch (Exception error) {
            error.printStackTrace();
            System.out.printf("FAIL %s: %s: %s%n", client, name, error);
        }
    }

    void done() {
        System.out.printf("done %s: %d cases%n", client, cases);
    }

    /** Fails unless the recording proxy, where there is one, saw this client id produce with this compression. */
    void checkCodec(String clientId, String codec) throws IOException {
        String seen = options.get("--seen");
        if (seen == null) {
            return;
        }
        Set<String> codecs = new HashSet<>();
        for (String row : Files.readAllLines(Path.of(seen))) {
            Matcher match = SEEN_CODEC.matcher(row);
            if (row.contains('"' + clientId + '"') && match.find()) {
                codecs.add(match.group(1));
            }
        }
        // A batch that would not shrink may go out uncompressed.
        if (codecs.size() > 1) {
            codecs.remove("none");
        }
        same(Set.of(codec), codecs, "compression that " + clientId + " produced with");
    }

    /** Fails with a short account unless both are equal. */
    static void same(Object expected, Object actual, String what) {
        if (expected instanceof List<?> && actual instanceof List<?>) {
            sameList((List<?>) expected, (List<?>) actual, what);
        } else if (!Objects.equals(expected, actual)) {
            throw new Failed(what + ": " + expected + " expected, " + actual + " came");
        }
    }

    private static void sameList(List<?> expected, List<?> actual, String what) {
        int common = Math.min(expected.size(), actual.size());
        for (int at = 0; at < common; at++) {
            if (!Objects.equals(expected.get(at), actual.get(at))) {
                throw new Failed(what + ": the first difference is at " + at + ": " + expected.get(at) + " expected, "
                        + actual.get(at) + " came");
            }
        }
        if (expected.size() != actual.size()) {
            throw new Failed(what + ": " + expected.size() + " expected, " + actual.size() + " came");
        }
    }

    /** Takes steps until the condition holds; fails when it never does. */
    static void until(String what, BooleanSupplier condition, Step step) throws InterruptedException {
        long end = System.currentTimeMillis() + DEADLINE_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > end) {
                throw new Failed(what + ": not within " + DEADLINE_MS + " ms");
            }
            step.run();
        }
    }

    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        until(what, condition, () -> Thread.sleep(50));
    }
}
