#include "tests/simulator/record.h"

#include "tests/simulator/tests/caller.h"

#include <algorithm>
#include <map>

namespace tests::simulator {
namespace {

std::string write(const World& world, std::uint64_t index, Instant now, Form form) {
  std::string text;
  append_record(text, world, world.conversation(index), now, form);
  return text;
}

TEST(Record, IsJsonAtEveryMomentOfItsLife) {
  WorldOptions options = small_world().world;
  options.reopen_share = 0.5;
  options.late_share = 0.5;
  options.record_bytes = 13'000;
  const World world(options);

  for (std::uint64_t index = 0; index < 40; ++index) {
    const Conversation it = world.conversation(index);
    for (int moment = 0; moment <= 20; ++moment) {
      const Instant now = it.start + (it.end - it.start) * moment / 15;
      for (const Form form : {Form::kQuery, Form::kJob}) {
        const auto parsed = common::json::parse(write(world, index, now, form));
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(common::json::find_string(*parsed, "conversationId"), world.id_of(index));
        EXPECT_EQ(parsed->as_object().contains("conversationEnd"), it.end_at(now).has_value());
      }
    }
  }
}

TEST(Record, ChangesWhileOpenAtTheEndAtWrapUpAndLate) {
  WorldOptions options = small_world().world;
  options.late_share = 1;
  options.record_bytes = 13'000;
  const World world(options);
  const Conversation it = world.conversation(5);
  std::vector<Instant> moments{it.start, it.start + (it.first_end - it.start) / 2, it.end, it.end + options.wrap_up,
                               *it.evaluated};
  if (it.surveyed) {
    moments.insert(moments.end() - 1, *it.surveyed);
  }

  for (std::size_t moment = 0; moment < moments.size(); ++moment) {
    const std::string now = write(world, 5, moments[moment], Form::kJob);
    EXPECT_EQ(now, write(world, 5, moments[moment], Form::kJob));
    if (moment > 0) {
      EXPECT_NE(now, write(world, 5, moments[moment - 1], Form::kJob)) << moment;
    }
  }
  const std::string at_the_end = write(world, 5, *it.evaluated, Form::kJob);
  EXPECT_EQ(at_the_end, write(world, 5, *it.evaluated + std::chrono::days{30}, Form::kJob));
}

// Scalars in alphabetical order, then the arrays and objects, as the service writes them.
void expect_order(const common::json::Value& value) {
  if (value.is_array()) {
    for (const auto& item : value.get_array()) {
      expect_order(item);
    }
    return;
  }
  if (!value.is_object()) {
    return;
  }
  bool composite = false;
  std::string previous;
  for (const auto& member : value.get_object()) {
    const bool objects = member.value().is_object() || (member.value().is_array() && !member.value().get_array().empty() &&
                                                        member.value().get_array().front().is_object());
    if (objects) {
      composite = true;
      expect_order(member.value());
    } else if (!composite && !(member.key().starts_with("o") && previous.starts_with("userId"))) {
      EXPECT_LT(previous, std::string(member.key()));
      previous = member.key();
    }
  }
}

TEST(Record, HasItsMembersInTheServicesOrder) {
  WorldOptions options = small_world().world;
  options.record_bytes = 13'000;
  options.late_share = 1;
  const World world(options);

  for (std::uint64_t index = 0; index < 20; ++index) {
    expect_order(common::json::parse(write(world, index, at("2027-01-01T00:00:00Z"), Form::kQuery)).value());
  }
}

class RecordSize : public testing::TestWithParam<std::uint32_t> {};

TEST_P(RecordSize, MedianIsWhatWasAsked) {
  WorldOptions options = small_world().world;
  options.record_bytes = GetParam();
  const World world(options);
  std::vector<std::size_t> sizes;
  for (std::uint64_t index = 0; index < 501; ++index) {
    sizes.push_back(write(world, index, at("2027-01-01T00:00:00Z"), Form::kJob).size());
  }
  std::ranges::sort(sizes);

  EXPECT_NEAR(static_cast<double>(sizes[250]), GetParam(), 0.1 * GetParam());
}

INSTANTIATE_TEST_SUITE_P(Of, RecordSize, testing::Values(3'000, 13'000, 50'000));

}  // namespace
}  // namespace tests::simulator
