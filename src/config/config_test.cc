// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "config/fake_surroundings.h"
#include "routing/router.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The configuration of `text`, which must be right.
Config good(std::string_view text, const FakeSurroundings& fake = {},
            const Overrides& overrides = {}) {
  auto loaded = parse(text, "f.yaml", overrides, fake.get());
  if (loaded) return std::move(*loaded);
  for (const Problem& problem : loaded.error()) ADD_FAILURE() << to_string(problem);
  return {};
}

const upstream::RegistryOptions& registry(const Config& config, std::string_view name) {
  const auto found = std::ranges::find(config.registries, name, &upstream::RegistryOptions::name);
  if (found == config.registries.end()) throw std::runtime_error("no registry of this name");
  return *found;
}

TEST(Config, WorksWithoutAFile) {
  const FakeSurroundings fake;
  const auto loaded = load(std::nullopt, {}, fake.get());
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->server.listen, ElementsAre("127.0.0.1:5000"));
  EXPECT_EQ(loaded->cache.directory, "/home/me/.cache/fairlead");
  EXPECT_THAT(loaded->warnings, IsEmpty());
  EXPECT_THAT(loaded->registries, SizeIs(8));
  EXPECT_EQ(registry(*loaded, "docker.io").url, "https://registry-1.docker.io");
  EXPECT_EQ(registry(*loaded, "public.ecr.aws").url, "https://public.ecr.aws");
  EXPECT_FALSE(loaded->routes.empty());
}

TEST(Config, AnEmptyFileChangesNothing) {
  for (const auto* text : {"", "# nothing\n", "server:\nregistries:\nroutes:\ncache:\nlog:\n"}) {
    const Config config = good(text);
    EXPECT_THAT(config.registries, SizeIs(8)) << text;
    EXPECT_FALSE(config.routes.empty()) << text;
  }
}

TEST(Config, CacheDirectoryByDefault) {
  FakeSurroundings fake;
  fake.environment["XDG_CACHE_HOME"] = "/xdg";
  EXPECT_EQ(good("", fake).cache.directory, "/xdg/fairlead");
  fake.environment["XDG_CACHE_HOME"] = "relative";
  EXPECT_EQ(good("", fake).cache.directory, "/home/me/.cache/fairlead");
  fake.is_superuser = true;
  EXPECT_EQ(good("", fake).cache.directory, "/var/cache/fairlead");

  fake = {.environment = {}};
  const auto homeless = parse("", "", {}, fake.get());
  ASSERT_FALSE(homeless);
  EXPECT_EQ(to_string(homeless.error().at(0)),
            "cache.directory: must be given: there is no home directory");
}

TEST(Config, Server) {
  FakeSurroundings fake;
  fake.files = {{"/c", "x"}, {"/k", "x"}, {"/ca", "x"}};
  const Config config = good(
      "server:\n"
      "  listen: [\"0.0.0.0:5000\", \"[::1]:5001\", unix:/run/f.sock]\n"
      "  tls: {certificate: /c, key: /k, client_ca: /ca}\n"
      "  workers: 3\n"
      "  limits: {connections: 12, header_bytes: 64KiB, drain: 1500ms}\n",
      fake);
  EXPECT_THAT(config.server.listen, ElementsAre("0.0.0.0:5000", "[::1]:5001", "unix:/run/f.sock"));
  EXPECT_EQ(config.server.tls.certificate, "/c");
  EXPECT_EQ(config.server.tls.key, "/k");
  EXPECT_EQ(config.server.tls.client_ca, "/ca");
  EXPECT_EQ(config.server.workers, 3U);
  EXPECT_EQ(config.server.limits.connections, 12U);
  EXPECT_EQ(config.server.limits.header_bytes, 64U * 1024);
  EXPECT_EQ(config.server.limits.drain, 1500ms);
  EXPECT_THAT(config.warnings, IsEmpty());  // callers need a certificate
}

TEST(Config, ServerBehindProxies) {
  const Config config = good(
      "server:\n"
      "  public_url: https://Registry.example.com:8443/\n"
      "  trusted_proxies: [10.0.0.0/8, \"::1\", unix]\n"
      "  cors: {allowed_origins: [\"https://*.example.com\", \"http://localhost:3000\"]}\n"
      "  limits: {connections_per_client: 7, requests_per_second: 8, bandwidth: 16KiB}\n");
  EXPECT_EQ(config.server.public_url, "https://registry.example.com:8443");
  EXPECT_TRUE(config.server.trusted_proxies.matches("[::1]:5"));
  EXPECT_FALSE(config.server.trusted_proxies.matches("192.0.2.1:5"));
  EXPECT_THAT(config.server.allowed_origins,
              ElementsAre("https://*.example.com", "http://localhost:3000"));
  EXPECT_EQ(config.server.limits.connections_per_client, 7U);
  EXPECT_EQ(config.server.limits.requests_per_second, 8U);
  EXPECT_EQ(config.server.limits.bandwidth, 16U * 1024);
  EXPECT_THAT(config.warnings, IsEmpty());

  const Config defaults = good("server: {limits: {bandwidth: 0, requests_per_second: 0}}");
  EXPECT_EQ(defaults.server.public_url, "");
  EXPECT_TRUE(defaults.server.trusted_proxies.empty());
  EXPECT_THAT(defaults.server.allowed_origins, IsEmpty());
  EXPECT_EQ(defaults.server.limits.connections_per_client, 0U);
  EXPECT_EQ(defaults.server.limits.requests_per_second, 0U);
  EXPECT_EQ(defaults.server.limits.bandwidth, 0U);
}

TEST(Config, WarnsOfProxiesAndUrlsThatProtectNobody) {
  EXPECT_THAT(good("server: {public_url: http://r.example.com}").warnings,
              ElementsAre(HasSubstr("in the clear")));
  EXPECT_THAT(good("server: {public_url: 'http://127.0.0.1:5000'}").warnings, IsEmpty());
  EXPECT_THAT(good("server: {trusted_proxies: [0.0.0.0/0]}").warnings,
              ElementsAre(HasSubstr("trusts everybody")));
}

TEST(Config, Registries) {
  FakeSurroundings fake;
  fake.environment["PROXY"] = "http://bob:pw@proxy.example:3128";
  fake.files = {{"/ca.pem", "x"}, {"/pw", "s3cret \r\n"}};
  const Config config = good(
      "registries:\n"
      "  docker.io: {username: robot, password: file:/pw}\n"
      "  quay.io: {url: https://quay.corp.example}\n"
      "  corp:\n"
      "    url: https://Registry.corp.example:8443/\n"
      "    mirrors: [https://b.corp.example]\n"
      "    credentials: {exec: [helper, get]}\n"
      "    token_hosts: [Auth.corp.example, auth.corp.example:5001]\n"
      "    ca: /ca.pem\n"
      "    proxy: env:PROXY\n"
      "    timeouts: {connect: 1s, first_byte: 2s, stall: 3s}\n"
      "  zot: {url: 'http://[::1]:5000', exec: other}\n",
      fake);
  EXPECT_THAT(config.registries, SizeIs(10));

  const auto& hub = registry(config, "docker.io");
  EXPECT_EQ(hub.url, "https://registry-1.docker.io");
  ASSERT_TRUE(hub.credentials);
  EXPECT_EQ(hub.credentials->username, "robot");
  EXPECT_EQ(hub.credentials->password.reveal(), "s3cret ");
  EXPECT_EQ(registry(config, "quay.io").url, "https://quay.corp.example");

  const auto& corp = registry(config, "corp");
  EXPECT_EQ(corp.url, "https://registry.corp.example:8443");
  EXPECT_THAT(corp.mirrors, ElementsAre("https://b.corp.example"));
  EXPECT_THAT(corp.credential_helper, ElementsAre("helper", "get"));
  EXPECT_THAT(corp.token_hosts, ElementsAre("auth.corp.example", "auth.corp.example:5001"));
  EXPECT_EQ(corp.ca_file, "/ca.pem");
  EXPECT_EQ(corp.proxy, "http://bob:pw@proxy.example:3128");
  EXPECT_EQ(corp.timeouts.connect, 1s);
  EXPECT_EQ(corp.timeouts.first_byte, 2s);
  EXPECT_EQ(corp.timeouts.stall, 3s);
  EXPECT_THAT(registry(config, "zot").credential_helper, ElementsAre("other"));
}

TEST(Config, RoutesReplaceTheDefaults) {
  const Config config = good(
      "routes:\n"
      "- {match: bp/, to: docker.io/backplane/, allow: [pull]}\n"
      "- {host: \"*.mirror.example.org\", to: \"{1}/\"}\n"
      "- {namespace: \"*\", to: \"{1}/\"}\n"
      "- {match: \"\", to: ghcr.io/, allow: pull}\n");
  ASSERT_THAT(config.routes, SizeIs(4));
  EXPECT_EQ(config.routes[0].match, "bp/");
  EXPECT_EQ(config.routes[0].to, "docker.io/backplane/");
  EXPECT_EQ(config.routes[0].line, 2U);
  EXPECT_EQ(config.routes[1].host, "*.mirror.example.org");
  EXPECT_EQ(config.routes[2].name_space, "*");
  EXPECT_EQ(config.routes[3].match, "");
}

TEST(Config, ARouteSaysHowItIsServed) {
  const Config config = good(
      "routes:\n"
      "- {match: a/, to: ghcr.io/a/, fresh_for: 0s, cooldown: 3d, repositories: a/*, deny: [a/b]}\n"
      "- {match: b/, to: ghcr.io/b/}\n");
  const routing::RoutePolicy& policy = config.routes[0].policy;
  EXPECT_EQ(policy.fresh_for, 0ms);
  EXPECT_EQ(policy.cooldown, 72h);
  EXPECT_TRUE(policy.admits("a/c"));
  EXPECT_FALSE(policy.admits("a/b") || policy.admits("a/c/d"));
  EXPECT_FALSE(config.routes[1].policy.fresh_for);
  EXPECT_TRUE(config.routes[1].policy.admits("b/any/thing"));
}

TEST(Config, DefaultRoutesReachTheFilesRegistries) {
  const Config config = good("registries: {corp: {url: https://r.corp.example}}");
  std::vector<routing::RegistryName> names;
  for (const auto& each : config.registries) names.push_back({each.name, each.is_docker_hub()});
  const auto router = routing::Router::build(config.routes, names);
  ASSERT_TRUE(router);
  const auto target = router->route({.repository = "corp/team/app"});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->registry, "corp");
  EXPECT_EQ(target->remote_repository, "team/app");
}

TEST(Config, EverySettingHasAVariable) {
  FakeSurroundings fake;
  fake.files = {{"/c", "x"}, {"/k", "x"}, {"/ca", "x"}};
  fake.environment = {{"FAIRLEAD_SERVER_LISTEN", "127.0.0.1:1, [::1]:2"},
                      {"FAIRLEAD_SERVER_WORKERS", "7"},
                      {"FAIRLEAD_SERVER_TLS_CERTIFICATE", "/c"},
                      {"FAIRLEAD_SERVER_TLS_KEY", "/k"},
                      {"FAIRLEAD_SERVER_TLS_CLIENT_CA", "/ca"},
                      {"FAIRLEAD_SERVER_PUBLIC_URL", "https://r.example.com"},
                      {"FAIRLEAD_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, unix"},
                      {"FAIRLEAD_SERVER_CORS_ALLOWED_ORIGINS", "https://*, http://a.example"},
                      {"FAIRLEAD_SERVER_LIMITS_CONNECTIONS", "8"},
                      {"FAIRLEAD_SERVER_LIMITS_CONNECTIONS_PER_CLIENT", "3"},
                      {"FAIRLEAD_SERVER_LIMITS_REQUESTS_PER_SECOND", "4"},
                      {"FAIRLEAD_SERVER_LIMITS_BANDWIDTH", "5MiB"},
                      {"FAIRLEAD_SERVER_LIMITS_HEADER_BYTES", "8KiB"},
                      {"FAIRLEAD_SERVER_LIMITS_DRAIN", "9s"},
                      {"FAIRLEAD_CACHE_DIRECTORY", "/cache"},
                      {"FAIRLEAD_CACHE_MAX_SIZE", "5GiB"},
                      {"FAIRLEAD_CACHE_MAX_AGE", "7d"},
                      {"FAIRLEAD_CACHE_FRESH_FOR", "10s"},
                      {"FAIRLEAD_CACHE_STALE_IF_ERROR", "1h"},
                      {"FAIRLEAD_CACHE_NOT_FOUND_FOR", "3m"},
                      {"FAIRLEAD_CACHE_SCRUB", "2d"},
                      {"FAIRLEAD_CACHE_KEEP", "ghcr.io/b, quay.io/**:1"},
                      {"FAIRLEAD_LOG_LEVEL", "debug"},
                      {"FAIRLEAD_LOG_FORMAT", "json"}};
  const Config config = good("", fake);
  EXPECT_THAT(config.server.listen, ElementsAre("127.0.0.1:1", "[::1]:2"));
  EXPECT_EQ(config.server.workers, 7U);
  EXPECT_EQ(config.server.tls.certificate, "/c");
  EXPECT_EQ(config.server.tls.key, "/k");
  EXPECT_EQ(config.server.tls.client_ca, "/ca");
  EXPECT_EQ(config.server.public_url, "https://r.example.com");
  EXPECT_TRUE(config.server.trusted_proxies.matches("10.0.0.1:5"));
  EXPECT_TRUE(config.server.trusted_proxies.matches("unix"));
  EXPECT_THAT(config.server.allowed_origins, ElementsAre("https://*", "http://a.example"));
  EXPECT_EQ(config.server.limits.connections, 8U);
  EXPECT_EQ(config.server.limits.connections_per_client, 3U);
  EXPECT_EQ(config.server.limits.requests_per_second, 4U);
  EXPECT_EQ(config.server.limits.bandwidth, 5U * 1024 * 1024);
  EXPECT_EQ(config.server.limits.header_bytes, 8192U);
  EXPECT_EQ(config.server.limits.drain, 9s);
  EXPECT_EQ(config.cache.directory, "/cache");
  EXPECT_EQ(config.cache.max_size, std::uint64_t{5} << 30);
  EXPECT_EQ(config.cache.max_age, 24h * 7);
  EXPECT_EQ(config.cache.freshness.fresh_for, 10s);
  EXPECT_EQ(config.cache.freshness.stale_if_error, 1h);
  EXPECT_EQ(config.cache.freshness.not_found_for, 3min);
  EXPECT_EQ(config.cache.scrub, 48h);
  ASSERT_THAT(config.cache.keep, SizeIs(2));
  EXPECT_EQ(config.cache.keep[1].tag, "1");
  EXPECT_EQ(config.log.level, telemetry::LogLevel::Debug);
  EXPECT_EQ(config.log.format, telemetry::LogFormat::Json);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(Config, FlagsBeforeEnvironmentBeforeFile) {
  constexpr std::string_view kFile =
      "server: {listen: 127.0.0.1:1, workers: 1}\nlog: {level: error, format: json}\n"
      "cache: {directory: /file}\n";
  FakeSurroundings fake;
  fake.environment["FAIRLEAD_LOG_LEVEL"] = "warn";
  fake.environment["FAIRLEAD_SERVER_LISTEN"] = "127.0.0.1:2";
  fake.environment["FAIRLEAD_SERVER_WORKERS"] = "";  // as good as unset
  const Config config =
      good(kFile, fake, {.listen = {"127.0.0.1:3", "127.0.0.1:4"}, .cache_directory = "/flag"});
  EXPECT_THAT(config.server.listen, ElementsAre("127.0.0.1:3", "127.0.0.1:4"));
  EXPECT_EQ(config.server.workers, 1U);
  EXPECT_EQ(config.log.level, telemetry::LogLevel::Warn);
  EXPECT_EQ(config.log.format, telemetry::LogFormat::Json);
  EXPECT_EQ(config.cache.directory, "/flag");
}

TEST(Config, WarnsOfWhatIsOpenToOthers) {
  EXPECT_THAT(good("server: {listen: [0.0.0.0:5000, 127.0.0.1:1, '[::]:5000']}").warnings,
              ElementsAre(testing::AllOf(testing::StartsWith("f.yaml:1: server.listen: "),
                                         HasSubstr("0.0.0.0:5000, [::]:5000"))));
  EXPECT_THAT(good("", {}, {.listen = {"10.0.0.1:80"}}).warnings,
              ElementsAre(testing::StartsWith("--listen: ")));
}

TEST(Config, WarnsOfCredentialsInTheClear) {
  EXPECT_THAT(good("registries: {a: {url: http://a, username: u, password: p}}").warnings,
              ElementsAre(HasSubstr("registries.a: sends its credentials over http://")));
  EXPECT_THAT(good("registries: {a: {url: http://a}}").warnings, IsEmpty());
}

TEST(Config, WarnsOfVariablesThatMeanNothing) {
  FakeSurroundings fake;
  fake.environment["FAIRLEAD_LOG_LEVL"] = "debug";
  fake.environment["FAIRLEAD_HUB_PASSWORD"] = "pw";
  fake.environment["FAIRLEAD_CONFIG"] = "/f.yaml";
  const Config config =
      good("registries: {docker.io: {username: u, password: env:FAIRLEAD_HUB_PASSWORD}}", fake);
  EXPECT_EQ(registry(config, "docker.io").credentials->password.reveal(), "pw");
  EXPECT_THAT(config.warnings, ElementsAre("FAIRLEAD_LOG_LEVL: no setting has this name; "
                                           "did you mean FAIRLEAD_LOG_LEVEL?"));
}

TEST(Config, WarnsOfKeepingWhatNoRegistryHas) {
  EXPECT_THAT(
      good("cache: {keep: [docker.io/a, 'dockr.io/**', 'gone.example/a:1', '*/a', '**']}").warnings,
      ElementsAre("f.yaml:1: cache.keep[1]: keeps nothing: no registry has the name "
                  "\"dockr.io\"; did you mean docker.io?",
                  "f.yaml:1: cache.keep[2]: keeps nothing: no registry has the name "
                  "\"gone.example\""));
  EXPECT_THAT(good("cache: {keep: corp/a}\nregistries: {corp: {url: https://c.example}}").warnings,
              IsEmpty());
}

TEST(Config, LetsRoutesBeWrittenTo) {
  const Config config = good(
      "routes: [{match: a/, to: corp/a/, allow: [pull, push, delete]}]\n"
      "registries: {corp: {url: https://corp.example, credentials: relay}}\n"
      "cache: {write_through: false}");
  EXPECT_EQ(config.routes.at(0).policy.allow, auth::Actions::all());
  EXPECT_FALSE(config.cache.write_through);
  EXPECT_TRUE(good("").cache.write_through);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(Config, WarnsOfRoutesThatAnybodyMayWriteTo) {
  const std::string route = "routes: [{match: a/, to: ghcr.io/a/, allow: [pull, push, delete]";
  EXPECT_THAT(good("auth: {anonymous: [pull, push]}\n" + route + "}]").warnings,
              ElementsAre("f.yaml:2: routes[0].allow: whoever reaches this may push here, without "
                          "credentials"));
  EXPECT_THAT(good(route + ", anonymous: [pull, push, delete]}]").warnings,
              ElementsAre(HasSubstr("may push,delete here")));
}

TEST(Config, WarnsOfNoRoutes) {
  EXPECT_THAT(good("routes: []").warnings, ElementsAre(HasSubstr("routes: is empty")));
}

TEST(Load, TakesTheFileOfTheFlagBeforeTheVariables) {
  FakeSurroundings fake;
  fake.environment["FAIRLEAD_CONFIG"] = "/env.yaml";
  fake.files = {{"/env.yaml", "cache: {directory: /env}"},
                {"/flag.yaml", "cache: {directory: /flag}"}};
  EXPECT_EQ(load("/flag.yaml", {}, fake.get())->cache.directory, "/flag");
  EXPECT_EQ(load(std::nullopt, {}, fake.get())->cache.directory, "/env");

  const auto missing = load("/none.yaml", {}, fake.get());
  ASSERT_FALSE(missing);
  EXPECT_EQ(to_string(missing.error().at(0)),
            "/none.yaml: cannot be read: No such file or directory");
}

TEST(Load, TheCacheCommandsNeedNeitherSecretsNorCertificates) {
  constexpr std::string_view kFile =
      "server: {tls: {certificate: /no/crt, key: /no/key}}\n"
      "registries:\n"
      "  ghcr.io: {username: env:NONE, password: file:/no/secret, ca: /no/ca, proxy: env:NONE}\n"
      "cache: {directory: /kept}\n";
  const FakeSurroundings fake;
  Surroundings surroundings = fake.get();
  EXPECT_FALSE(parse(kFile, "f.yaml", {}, surroundings));
  surroundings.is_only_cache = true;
  const auto loaded = parse(kFile, "f.yaml", {}, surroundings);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->cache.directory, "/kept");
  EXPECT_FALSE(registry(*loaded, "ghcr.io").credentials);
  EXPECT_FALSE(parse("cache: {max_size: much}", "f.yaml", {}, surroundings));
}

TEST(Load, ReadsRealFilesUpToTheLimit) {
  std::string directory = testing::TempDir() + "fairlead-config-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/f.yaml";
  std::ofstream(path) << "cache: {directory: /real}\n";
  Surroundings real = process_surroundings();
  real.environment.clear();
  EXPECT_EQ(load(path, {}, real)->cache.directory, "/real");

  std::ofstream(path) << std::string(kMaxFileBytes + 1, '\n');
  EXPECT_EQ(real.read_file(path, kMaxFileBytes).error().code, Code::TooLarge);
  EXPECT_FALSE(load(path, {}, real));
  EXPECT_EQ(real.read_file(directory, 10).error().code, Code::Io);
  EXPECT_EQ(real.read_file(directory + "/none", 10).error().code, Code::NotFound);
  ::unlink(path.c_str());
  ::rmdir(directory.c_str());
}

TEST(Config, ARegistryIsInTheCatalogWhenItSaysSo) {
  const Config config = good(
      "registries:\n"
      "  a.example: {url: 'https://a.example', catalog: true}\n"
      "  b.example: {url: 'https://b.example', catalog: false}\n"
      "  c.example: {url: 'https://c.example'}\n"
      "  d.example: {url: 'https://d.example', catalog: true, credentials: relay}\n");
  for (const auto& registry : config.registries) {
    const bool is_in = registry.name == "a.example" || registry.name == "d.example";
    EXPECT_EQ(registry.in_catalog, is_in) << registry.name;
  }
  EXPECT_THAT(config.warnings, testing::ElementsAre(testing::HasSubstr("d.example.catalog")));
}

}  // namespace
}  // namespace fairlead::config
