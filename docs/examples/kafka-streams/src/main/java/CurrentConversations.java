import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Makes two tables of a stream of conversations: what each of them is now, and how many began in each window of time. The count of a window
 * is published when the connector says that the window is complete, not when some time has passed: see {@link WindowCounts}.
 */
public final class CurrentConversations {
  static final ObjectMapper JSON = new ObjectMapper();
  private static final String GONE = "what this job reads next is not known or not there any more: the topic's retention was shorter than a break, or "
      + "the topic was made anew. To go on would be to close windows that are not whole and to keep what was deleted. Start again with another "
      + "application.id, whose tables are made of what the topic still holds.";

  private CurrentConversations() {}

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    try (Reader file = Files.newBufferedReader(Path.of(args[0]))) {
      properties.load(file);
    }
    // Reads what is committed only (isolation.level=read_committed), and commits results, state and offsets in one transaction.
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    String application = required(properties, StreamsConfig.APPLICATION_ID_CONFIG);
    createTopics(properties, application + "-current", application + "-windows");
    sayWhereToBegin(properties, application);

    KafkaStreams streams = new KafkaStreams(topology(properties, application), properties);
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      for (Throwable cause = error; cause != null; cause = cause.getCause()) {
        if (cause instanceof InvalidOffsetException) System.err.println(cause.getMessage() + ": " + GONE);
      }
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.setStateListener((now, before) -> {
      System.out.println("state " + now);
      if (now == KafkaStreams.State.ERROR || now == KafkaStreams.State.NOT_RUNNING) ended.countDown();
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
    streams.start();
    ended.await();
    System.exit(streams.state() == KafkaStreams.State.ERROR ? 1 : 0);
  }

  private static Topology topology(Properties properties, String application) {
    String stream = required(properties, "connector.stream");
    Duration window = Duration.parse(required(properties, "window"));
    Duration remember = Duration.parse(required(properties, "remember"));
    var text = Serdes.String();
    var number = Serdes.Long();

    StreamsBuilder builder = new StreamsBuilder();
    builder.globalTable(required(properties, "connector.name") + "-progress", Consumed.with(text, text),
        Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(WindowCounts.PROGRESS));
    builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(WindowCounts.BEGUN), text, number).withCachingEnabled());
    builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(WindowCounts.COUNTS), number, number).withCachingEnabled());
    builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(WindowCounts.MARKS), text, number).withCachingEnabled());

    // The usual reset to the earliest would pass without a word over what was deleted before it was read: see sayWhereToBegin().
    KStream<String, String> conversations =
        builder.stream(topic(properties), Consumed.with(text, text).withOffsetResetPolicy(AutoOffsetReset.none()));
    conversations.mapValues(CurrentConversations::current).to(application + "-current", Produced.with(text, text));
    // Each partition reports its part of a window; the window is published when all parts are there.
    KStream<String, String> parts = conversations.process(
        () -> new WindowCounts(properties, stream, window, remember), WindowCounts.BEGUN, WindowCounts.COUNTS, WindowCounts.MARKS);
    parts.groupByKey(Grouped.with("parts", text, text))
        .aggregate(() -> "{}", CurrentConversations::withPart,
            Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("parts").withKeySerde(text).withValueSerde(text))
        .toStream()
        .filter((start, all) -> isWhole(parse(all)))
        .mapValues((start, all) -> sum(start, window, parse(all)))
        .to(application + "-windows", Produced.with(text, text));
    return builder.build();
  }

  /** The record of a key replaces all earlier ones; one without a value (a tombstone) deletes it here, too. */
  private static String current(String conversation) {
    if (conversation == null) return null;
    JsonNode node = parse(conversation);
    ObjectNode row = JSON.createObjectNode();
    row.set("conversationStart", node.get("conversationStart"));
    row.set("conversationEnd", node.get("conversationEnd"));
    row.put("open", !node.hasNonNull("conversationEnd"));
    row.set("mediaType", node.at("/participants/0/sessions/0/mediaType"));
    return row.toString();
  }

  private static String withPart(String start, String part, String parts) {
    JsonNode reported = parse(part);
    ObjectNode all = (ObjectNode) parse(parts);
    all.set("of", reported.get("of"));
    all.set(reported.get("partition").asText(), reported.get("conversations"));
    return all.toString();
  }

  private static boolean isWhole(JsonNode parts) {
    return parts.size() - 1 == parts.get("of").asInt();
  }

  private static String sum(String start, Duration window, JsonNode parts) {
    long conversations = -parts.get("of").asLong();
    for (JsonNode number : parts) conversations += number.asLong();
    return JSON.createObjectNode()
        .put("start", start)
        .put("end", Instant.parse(start).plus(window).toString())
        .put("conversations", conversations)
        .toString();
  }

  static JsonNode parse(String json) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static String topic(Properties properties) {
    return required(properties, "connector.name") + "." + required(properties, "connector.stream");
  }

  static String required(Properties properties, String name) {
    return Objects.requireNonNull(properties.getProperty(name), "the properties lack " + name);
  }

  /**
   * At the first start of all, and only then, the job begins with whatever the topic holds. This is committed before it starts, so that from
   * then on an offset that is missing, or that the topic does not hold any more, is an error.
   */
  private static void sayWhereToBegin(Properties properties, String application) throws Exception {
    try (Admin admin = Admin.create(properties)) {
      // Looked at first: who makes this topic has committed before.
      boolean hasState = admin.listTopics().names().get().contains(application + "-" + WindowCounts.MARKS + "-changelog");
      Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(application).partitionsToOffsetAndMetadata().get();
      Map<TopicPartition, OffsetSpec> unknown = new HashMap<>();
      String topic = topic(properties);
      for (var partition : admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions()) {
        TopicPartition each = new TopicPartition(topic, partition.partition());
        if (committed.get(each) == null) unknown.put(each, OffsetSpec.earliest());
      }
      if (unknown.isEmpty()) return;
      if (hasState) {
        // A group that nobody is in loses its offsets after the broker's offsets.retention.minutes.
        throw new IllegalStateException(application + " has state, but no committed offset of " + unknown.keySet() + ": " + GONE);
      }
      Map<TopicPartition, OffsetAndMetadata> first = new HashMap<>();
      admin.listOffsets(unknown).all().get().forEach((partition, found) -> first.put(partition, new OffsetAndMetadata(found.offset())));
      // Refused if another instance has begun meanwhile, and so has committed: then this one ends, and finds that at its next start.
      admin.alterConsumerGroupOffsets(application, first).all().get();
    }
  }

  /** Kafka Streams makes the topics it keeps state in, but not those it writes to. */
  private static void createTopics(Properties properties, String... names) throws Exception {
    try (Admin admin = Admin.create(properties)) {
      for (String name : names) {
        NewTopic topic = new NewTopic(name, Optional.empty(), Optional.empty()).configs(Map.of("cleanup.policy", "compact"));
        try {
          admin.createTopics(List.of(topic)).all().get();
        } catch (ExecutionException error) {
          if (!(error.getCause() instanceof TopicExistsException)) throw error;
        }
      }
    }
  }
}
