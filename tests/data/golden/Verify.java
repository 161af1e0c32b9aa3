// Kafka's own code reads each line of messages.txt and writes it again: the bytes must be the same.
//
//   java -cp kafka-clients-4.2.1.jar Verify.java <messages.txt

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class Verify {
    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        int good = 0;
        int bad = 0;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            boolean same = survives(words);
            if (!same) System.err.println("differs: " + line);
            good += same ? 1 : 0;
            bad += same ? 0 : 1;
        }
        System.out.println(good + " the same, " + bad + " different");
        System.exit(bad == 0 && good > 0 ? 0 : 1);
    }

    static boolean survives(String[] words) {
        ApiMessageType type = ApiMessageType.fromApiKey(Short.parseShort(words[0]));
        ApiMessage message = words[2].equals("request") ? type.newRequest() : type.newResponse();
        short version = Short.parseShort(words[3]);
        ByteBuffer ours = ByteBuffer.wrap(HexFormat.of().parseHex(words[4].substring(1)));
        message.read(new ByteBufferAccessor(ours), version);
        // A tag that Kafka does not know would be kept and written again.
        boolean whole = !ours.hasRemaining() && message.unknownTaggedFields().isEmpty();
        return whole && ours.rewind().equals(write(message, version));
    }

    static ByteBuffer write(ApiMessage message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer theirs = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(theirs), cache, version);
        return theirs.flip();
    }
}
