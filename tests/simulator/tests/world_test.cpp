#include "tests/simulator/world.h"

#include "tests/simulator/tests/caller.h"

namespace tests::simulator {
namespace {

TEST(World, IsTheSameForASeedAndAnotherForAnother) {
  WorldOptions options = small_world().world;
  const World one(options);
  const World same(options);
  options.seed = 2;
  const World other(options);

  for (std::uint64_t index = 0; index < 100; ++index) {
    EXPECT_EQ(one.id_of(index), same.id_of(index));
    EXPECT_EQ(one.conversation(index).end, same.conversation(index).end);
    EXPECT_NE(one.id_of(index), other.id_of(index));
    EXPECT_FALSE(other.index_of(one.id_of(index)));
  }
}

TEST(World, AnIdLeadsBackToItsIndex) {
  const World world(small_world().world);

  for (const std::uint64_t index : {0ULL, 1ULL, 77ULL, 123'456'789ULL, (1ULL << 40U) + 5}) {
    EXPECT_EQ(world.index_of(world.id_of(index)), index);
  }
  EXPECT_FALSE(world.index_of("00000000-0000-4000-8000-000000000000"));
  EXPECT_FALSE(world.index_of("nonsense"));
}

TEST(World, OrderByIndexIsOrderByStart) {
  const World world(small_world().world);

  for (std::uint64_t index = 1; index < 5'000; ++index) {
    ASSERT_LT(world.start_of(index - 1), world.start_of(index));
    ASSERT_EQ(world.first_from(world.start_of(index)), index);
    ASSERT_EQ(world.first_from(world.start_of(index) + Duration{1}), index + 1);
  }
  EXPECT_EQ(world.first_from(at("1999-01-01T00:00:00Z")), 0U);
}

TEST(World, ABoundedOneEnds) {
  WorldOptions options = small_world().world;
  options.conversations = 10;
  const World world(options);

  EXPECT_EQ(world.first_from(at("2030-01-01T00:00:00Z")), 10U);
  EXPECT_FALSE(world.index_of(World(small_world().world).id_of(10)));
}

TEST(World, FatesComeInTheirShares) {
  WorldOptions options;
  options.start = at("2026-05-01T00:00:00Z");
  options.deleted_share = 0.1;
  const World world(options);
  int reopened = 0;
  int evaluated = 0;
  int deleted = 0;
  int lasting = 0;
  for (std::uint64_t index = 0; index < 20'000; ++index) {
    const Conversation it = world.conversation(index);
    reopened += it.reopened ? 1 : 0;
    evaluated += it.evaluated ? 1 : 0;
    deleted += it.deleted ? 1 : 0;
    lasting += it.first_end - it.start > std::chrono::hours{24} ? 1 : 0;
  }

  EXPECT_NEAR(reopened, 400, 100);
  EXPECT_NEAR(evaluated, 2'000, 250);
  EXPECT_NEAR(deleted, 2'000, 250);
  EXPECT_NEAR(lasting, 200, 70);
}

TEST(Conversation, OpensEndsOpensAgainAndVanishes) {
  Conversation it;
  it.start = it.visible_from = at("2026-05-01T10:00:00Z");
  it.first_end = at("2026-05-01T10:05:00Z");
  it.reopened = at("2026-05-01T11:00:00Z");
  it.end = at("2026-05-01T11:05:00Z");
  it.deleted = at("2026-05-03T00:00:00Z");

  EXPECT_FALSE(it.end_at(at("2026-05-01T10:04:59Z")));
  EXPECT_EQ(it.end_at(at("2026-05-01T10:59:59Z")), it.first_end);
  EXPECT_FALSE(it.end_at(at("2026-05-01T11:00:00Z")));
  EXPECT_EQ(it.end_at(at("2026-05-01T11:05:00Z")), it.end);
  EXPECT_TRUE(it.exists_at(at("2026-05-02T23:59:59Z")));
  EXPECT_FALSE(it.exists_at(at("2026-05-03T00:00:00Z")));
}

}  // namespace
}  // namespace tests::simulator
