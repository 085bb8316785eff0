// SPDX-License-Identifier: Apache-2.0
// Input: a configuration file; a first line "#..." is laid over it as --listen and --workers. What
// loads fits together, what does not load says why, each problem on one printable line.
// Modules: config routing base
#include <algorithm>
#include <string>

#include "config/config.h"
#include "fuzz/property.h"
#include "routing/router.h"

using fairlead::fuzz::check;
using namespace fairlead;

namespace {

constexpr std::string_view kSecret = "correct-horse-battery";

config::Surroundings surroundings() {
  return {.environment = {{"HOME", "/home/me"},
                          {"SECRET", std::string(kSecret)},
                          {"FAIRLEAD_LOG_LEVEL", "warn"}},
          .read_file = [](const auto& path, std::size_t) -> Result<std::string> {
            if (path.string().starts_with("/none")) return internal_error(Code::NotFound, "none");
            return std::string(kSecret) + "\n";
          }};
}

// `text` is the input, which the fuzzer may have taught the secret.
void check_told(const std::string& line, std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  check(std::ranges::none_of(line, is_control));
  check(!line.contains(kSecret) || text.contains(kSecret));
}

void check_loaded(const config::Config& loaded, std::string_view text) {
  check(!loaded.server.listen.empty());
  check(!loaded.cache.directory.empty());
  check(loaded.server.tls.certificate.empty() == loaded.server.tls.key.empty());
  std::vector<routing::RegistryName> names;
  for (const auto& registry : loaded.registries) {
    check(registry.url.starts_with("http://") || registry.url.starts_with("https://"));
    check(!registry.url.contains('@') && !registry.url.ends_with('/'));
    check(!registry.credentials || registry.credential_helper.empty());
    check(registry.timeouts.stall.count() > 0);
    names.push_back({registry.name, registry.is_docker_hub()});
  }
  check(routing::Router::build(loaded.routes, names).has_value());
  for (const auto& warning : loaded.warnings) check_told(warning, text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const config::Surroundings around = surroundings();
  const std::string_view text = fuzz::as_text(data, size);
  config::Overrides overrides;
  if (text.starts_with('#')) {
    std::string_view rest = text.substr(1);
    const std::string line(fuzz::take_line(rest));
    overrides = {.listen = {line}, .workers = line};
  }
  const auto loaded = config::parse(text, "fuzz.yaml", overrides, around);
  if (loaded) {
    check_loaded(*loaded, text);
  } else {
    check(!loaded.error().empty() && loaded.error().size() <= 200);
    for (const auto& problem : loaded.error()) check_told(to_string(problem), text);
  }
  return 0;
}
