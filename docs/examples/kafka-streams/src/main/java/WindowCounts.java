import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;

/**
 * Counts the conversations of one partition by the window they began in. A window is reported when the progress records say that it is
 * complete and this partition has been read as far as they speak of; after that again with every change, so that the last report counts.
 */
final class WindowCounts implements Processor<String, String, String, String> {
  static final String PROGRESS = "progress"; // what the connector says, by stream
  static final String BEGUN = "begun"; // conversation → its window
  static final String COUNTS = "counts"; // window → conversations
  static final String MARKS = "marks"; // how far this partition is
  private static final String POSITION = "position"; // behind the last record seen
  private static final String FIRST = "first"; // the first window that is reported
  private static final String CLOSED = "closed"; // behind the last one
  private static final String FORGOTTEN = "forgotten"; // before this window nothing is remembered
  private static final String PARTITIONS = "partitions"; // of the topic
  private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

  /** Once this partition has been read up to {@code offset}, it holds what the watermarks promise. */
  private record Target(long start, long completeUntil, long settledUntil, long partitions, TopicPartition partition, long offset) {}

  private final Properties properties;
  private final String stream;
  private final long window; // milliseconds, as all times here
  private final long remember;
  private ProcessorContext<String, String> context;
  private TimestampedKeyValueStore<String, String> progress;
  private KeyValueStore<String, Long> begun;
  private KeyValueStore<Long, Long> counts;
  private KeyValueStore<String, Long> marks;
  private Consumer<byte[], byte[]> lookout;
  private Target target;

  WindowCounts(Properties properties, String stream, Duration window, Duration remember) {
    this.properties = properties;
    this.stream = stream;
    this.window = window.toMillis();
    this.remember = remember.toMillis();
  }

  @Override
  public void init(ProcessorContext<String, String> processorContext) {
    context = processorContext;
    progress = context.getStateStore(PROGRESS);
    begun = context.getStateStore(BEGUN);
    counts = context.getStateStore(COUNTS);
    marks = context.getStateStore(MARKS);
    lookout = makeLookout();
    target = null;
    // By the wall clock, because windows are completed without a record, too.
    context.schedule(LOOK_EVERY, PunctuationType.WALL_CLOCK_TIME, this::look);
  }

  @Override
  public void close() {
    if (lookout != null) lookout.close();
  }

  @Override
  public void process(Record<String, String> record) {
    Long before = begun.get(record.key());
    Long now = record.value() == null ? null : windowOf(record.value());
    if (now != null && now < orZero(marks.get(FORGOTTEN))) now = null; // counted for good, whatever comes now
    if (!Objects.equals(before, now)) {
      if (before != null) count(before, -1, record.timestamp());
      if (now != null) count(now, 1, record.timestamp());
      if (now != null) begun.put(record.key(), now);
      else begun.delete(record.key());
    }
    marks.put(POSITION, context.recordMetadata().orElseThrow().offset() + 1);
  }

  private long windowOf(String conversation) {
    return windowOf(millisecondsOf(CurrentConversations.parse(conversation).required("conversationStart")));
  }

  private long windowOf(long instant) {
    return Math.floorDiv(instant, window) * window;
  }

  private void count(long start, long change, long now) {
    counts.put(start, orZero(counts.get(start)) + change);
    Long closed = marks.get(CLOSED);
    if (closed != null && start < closed && start >= orZero(marks.get(FIRST))) report(start, now);
  }

  private void report(long start, long now) {
    String part = CurrentConversations.JSON.createObjectNode()
        .put("partition", context.taskId().partition())
        .put("of", marks.get(PARTITIONS))
        .put("conversations", orZero(counts.get(start)))
        .toString();
    context.forward(new Record<>(Instant.ofEpochMilli(start).toString(), part, now));
  }

  /** Keeps a target until it is reached: one that moved on with every progress record would never be, by who is a little behind. */
  private void look(long now) {
    if (target == null) target = newestTarget();
    if (target == null || !isReached(target)) return;
    marks.put(PARTITIONS, target.partitions());
    Long closed = marks.get(CLOSED);
    if (closed == null) {
      closed = windowOf(target.start() + window - 1); // the first window that is promised whole
      marks.put(FIRST, closed);
    }
    for (; closed + window <= target.completeUntil(); closed += window) report(closed, now);
    marks.put(CLOSED, closed);
    forgetBefore(Math.min(closed, windowOf(target.settledUntil() - remember)));
    target = null;
  }

  /** Else the state would grow for ever. Windows that have been settled for so long are not corrected any more. */
  private void forgetBefore(long start) {
    if (start <= orZero(marks.get(FORGOTTEN))) return;
    try (var all = begun.all()) {
      all.forEachRemaining(conversation -> {
        if (conversation.value < start) begun.delete(conversation.key);
      });
    }
    try (var all = counts.all()) {
      all.forEachRemaining(count -> {
        if (count.key < start) counts.delete(count.key);
      });
    }
    marks.put(FORGOTTEN, start);
  }

  private Target newestTarget() {
    var stored = progress.get(stream);
    if (stored == null) return null;
    JsonNode said = CurrentConversations.parse(stored.value());
    JsonNode offsets = said.required("offsets");
    int partition = context.taskId().partition();
    if (!said.hasNonNull("start") || !said.hasNonNull("complete_until") || partition >= offsets.size()) return null;
    long start = millisecondsOf(said.get("start"));
    long settledUntil = said.hasNonNull("settled_until") ? millisecondsOf(said.get("settled_until")) : start;
    return new Target(start, millisecondsOf(said.get("complete_until")), settledUntil, offsets.size(),
        new TopicPartition(said.get("topic").asText(), partition), offsets.get(partition).asLong());
  }

  private static long millisecondsOf(JsonNode instant) {
    return Instant.parse(instant.asText()).toEpochMilli();
  }

  /**
   * The end of a transaction takes an offset, too, and no record shows it: behind the last record of a quiet topic the offset would never be
   * reached by counting records. So what lies between is looked at: if no record does, there is nothing left to wait for.
   */
  private boolean isReached(Target wanted) {
    long position = orZero(marks.get(POSITION));
    if (position >= wanted.offset()) return true;
    // What was read may be deleted by now; what was committed is read.
    var committed = lookout.committed(Set.of(wanted.partition())).get(wanted.partition());
    if (committed != null) position = Math.max(position, committed.offset());
    lookout.assign(List.of(wanted.partition()));
    lookout.seek(wanted.partition(), position);
    for (long before = position; before < wanted.offset(); ) {
      try {
        for (ConsumerRecord<byte[], byte[]> record : lookout.poll(LOOK_EVERY)) {
          if (record.offset() < wanted.offset()) return false; // it comes to process() by itself
        }
      } catch (OffsetOutOfRangeException gone) {
        return false; // nobody can say any more whether a record was there; if it had not been read, the job ends by itself
      }
      long after = lookout.position(wanted.partition());
      if (after == before) return false; // nothing was to be had now
      before = after;
    }
    return true;
  }

  private Consumer<byte[], byte[]> makeLookout() {
    Properties own = new Properties();
    own.putAll(properties);
    own.remove(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG);
    own.put(ConsumerConfig.CLIENT_ID_CONFIG, properties.getProperty(StreamsConfig.APPLICATION_ID_CONFIG) + "-lookout-" + context.taskId());
    own.put(ConsumerConfig.GROUP_ID_CONFIG, properties.getProperty(StreamsConfig.APPLICATION_ID_CONFIG)); // for what is committed; not joined
    own.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    own.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    own.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    own.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, "65536");
    return new KafkaConsumer<>(own, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static long orZero(Long value) {
    return value == null ? 0 : value;
  }
}
