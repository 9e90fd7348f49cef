#include "connector/app/one_shot.h"

#include <algorithm>
#include <random>

namespace connector::app {

common::Result<std::unique_ptr<OneShot>> OneShot::make(const AppOptions& options, const common::Logger& logger,
                                                       common::Duration patience) {
  std::unique_ptr<OneShot> made(new OneShot(patience));  // new: the constructor is private
  auto client = common::http::make_client(made->io_.get_executor(), options.genesys.http, logger.named("http"));
  if (!client) return common::fail(common::with_context(client.error(), "genesys.http"));
  made->http_ = std::move(*client);

  auto genesys = options.genesys;
  genesys.retry.deadline = std::min(genesys.retry.deadline, patience / 2);  // a person is waiting
  made->metrics_.emplace(std::vector<core::SourcePartition>{});
  made->api_.emplace(std::move(genesys), *made->http_, made->clock_, *made->metrics_, logger, std::random_device()());
  return made;
}

}  // namespace connector::app
