// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration and how it is told: a table of texts and the lines they get.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "config/config.h"
#include "config/fake_surroundings.h"

namespace fairlead::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::vector<std::string> problems_of(std::string_view text, const FakeSurroundings& fake = {},
                                     const Overrides& overrides = {}) {
  const auto loaded = parse(text, "f.yaml", overrides, fake.get());
  std::vector<std::string> out;
  if (!loaded) {
    for (const Problem& problem : loaded.error()) out.push_back(to_string(problem));
  }
  return out;
}

struct Row {
  std::string_view text;
  std::string_view problem;
};

void expect_each(const std::vector<Row>& rows) {
  for (const auto& [text, problem] : rows) {
    EXPECT_THAT(problems_of(text), ElementsAre(problem)) << text;
  }
}

TEST(Problems, Shapes) {
  expect_each({
      {"[1]", "f.yaml:1: must be a mapping of keys, but is a list"},
      {"server: 5", "f.yaml:1: server: must be a mapping of keys, but is text"},
      {"log:\n  level: [info]", "f.yaml:2: log.level: must be text, but is a list"},
      {"log:\n  level:", "f.yaml:2: log.level: must be text, but is empty"},
      {"log: {level: \"\"}", "f.yaml:1: log.level: is empty"},
      {"log: {level: loud}", "f.yaml:1: log.level: \"loud\" is none of debug, info, warn, error"},
      {"cache: {directory: \"/a\\nb\"}",
       "f.yaml:1: cache.directory: holds a line break or another control character"},
      {"cache: {directory: ~/x}",
       "f.yaml:1: cache.directory: ~ has no meaning here: write the whole path"},
  });
}

TEST(Problems, Patterns) {
  EXPECT_THAT(problems_of("cache: {keep: [a/b, nonsense, \"x/[a\"]}"), SizeIs(2));
  EXPECT_THAT(problems_of("routes: [{match: a, to: ghcr.io/a, deny: [\"A b\"]}]"),
              ElementsAre(HasSubstr("routes[0].deny[0]: \"A b\" is no pattern")));
  EXPECT_THAT(problems_of("routes: [{match: a, to: ghcr.io/a, repositories: []}]"),
              ElementsAre(HasSubstr("must name at least one repository")));
  for (const std::string index : {"redis", "redis://x", "rediss://x"}) {
    EXPECT_THAT(problems_of("cache: {index: " + index + "}"),
                ElementsAre("f.yaml:1: cache.index: redis is not built yet in this version"));
  }
  EXPECT_THAT(problems_of("cache: {index: leveldb}"),
              ElementsAre("f.yaml:1: cache.index: \"leveldb\" is not sqlite"));
}

TEST(Problems, UnknownKeysSuggestTheNearest) {
  expect_each({
      {"sever: {}", "f.yaml:1: sever: unknown key; did you mean server?"},
      {"server:\n  lissen: x", "f.yaml:2: server.lissen: unknown key; did you mean listen?"},
      {"server: {limits: {conections: 5}}",
       "f.yaml:1: server.limits.conections: unknown key; did you mean connections?"},
      {"cache: {stale: 1d}", "f.yaml:1: cache.stale: unknown key; did you mean stale_if_error?"},
      {"cache: {max: 1}", "f.yaml:1: cache.max: unknown key"},  // max_size or max_age
      {"routes: [{match: a, to: ghcr.io/a, denied: [a]}]",
       "f.yaml:1: routes[0].denied: unknown key; did you mean deny?"},
      {"storage: {}", "f.yaml:1: storage: unknown key"},
      {"\"a\\nb\": 1", "f.yaml:1: a?b: unknown key"},
      {"adminn: {}", "f.yaml:1: adminn: unknown key"},  // what is not built is not suggested
  });
}

TEST(Problems, PlannedKeysSaySo) {
  const std::string not_built = "is not built yet in this version";
  EXPECT_THAT(problems_of("admin: {x: 1}"), ElementsAre("f.yaml:1: admin: " + not_built));
}

TEST(Problems, WhatCannotBeWrittenTo) {
  const std::string bucket =
      "registries: {b: {bucket: {name: data, layout: oci, endpoint: 'http://s3.test'}}}\n";
  EXPECT_THAT(problems_of(bucket + "routes: [{match: '', to: b/, allow: [pull, push]}]"),
              ElementsAre("f.yaml:2: routes[0].allow: registry \"b\" has no url: its bucket is "
                          "only read, so nothing can be pushed or deleted"));
  EXPECT_THAT(problems_of(bucket + "routes: [{match: '', to: b/, allow: [pull]}]"), IsEmpty());
  EXPECT_THAT(problems_of("cache: {write_through: maybe}"),
              ElementsAre(HasSubstr("f.yaml:1: cache.write_through: ")));
}

TEST(Problems, ServerBehindProxies) {
  const std::string in = "f.yaml:1: server.";
  const std::string form =
      "needs the form https://host or http://host, where * stands for any characters but /";
  const std::string end = "must end after the host and port, in lower case: no path, query or user";
  expect_each({
      {"server: {public_url: registry.example.com}",
       in + "public_url: needs the form https://host or http://host"},
      {"server: {public_url: https://r.example.com/v2}",
       in + "public_url: must end after the host and port: no path, query or fragment"},
      {"server: {trusted_proxies: [10.0.0.0/8, 10.0.0.1/8]}",
       in + "trusted_proxies[1]: \"10.0.0.1/8\" is an address within a network: write 10.0.0.0/8"},
      {"server: {trusted_proxies: proxy.example.com}",
       in + "trusted_proxies: \"proxy.example.com\" is no address or network (10.0.0.0/8, ::1)"},
      {"server: {trusted_proxies: [10.0.0.0/33]}",
       in + "trusted_proxies[0]: \"10.0.0.0/33\" has no prefix from 0 to 32 behind its slash"},
      {"server: {cors: {allowed_origins: ['*']}}", in + "cors.allowed_origins[0]: \"*\" " + form},
      {"server: {cors: {allowed_origins: [ui.example.com]}}",
       in + "cors.allowed_origins[0]: \"ui.example.com\" " + form},
      {"server: {cors: {allowed_origins: 'null'}}", in + "cors.allowed_origins: \"null\" " + form},
      {"server: {cors: {allowed_origins: ['https://']}}",
       in + "cors.allowed_origins[0]: \"https://\" " + end},
      {"server: {cors: {allowed_origins: ['https://a.example/']}}",
       in + "cors.allowed_origins[0]: \"https://a.example/\" " + end},
      {"server: {cors: {allowed_origins: ['https://A.example']}}",
       in + "cors.allowed_origins[0]: \"https://A.example\" " + end},
      {"server: {cors: {allowed_origin: []}}",
       in + "cors.allowed_origin: unknown key; did you mean allowed_origins?"},
      {"server: {limits: {connections_per_client: -1}}",
       in + "limits.connections_per_client: \"-1\" is not a number: write digits only"},
      {"server: {limits: {requests_per_second: 2000000}}",
       in + "limits.requests_per_second: \"2000000\" is not between 0 and 1000000"},
      {"server: {limits: {bandwidth: 1KiB}}",
       in + "limits.bandwidth: must be 0, for none, or 16KiB at least"},
      {"server: {limits: {bandwidth: 50MB}}", in + "limits.bandwidth: \"50MB\" is not a size: "
                                                   "write a number of bytes, or a number and KiB, "
                                                   "MiB, GiB or TiB (32KiB)"},
  });
}

TEST(Problems, Server) {
  expect_each({
      {"server: {listen: 5000}",
       "f.yaml:1: server.listen: \"5000\" needs the form host:port, [v6]:port or unix:/path"},
      {"server: {listen: []}", "f.yaml:1: server.listen: must name at least one address"},
      {"server:\n  listen:\n  - localhost:1\n  - LOCALHOST:1",
       "f.yaml:4: server.listen[1]: \"LOCALHOST:1\" is given twice"},
      {"server: {workers: -1}",
       "f.yaml:1: server.workers: \"-1\" is not a number: write digits only"},
      {"server: {workers: 5000}", "f.yaml:1: server.workers: \"5000\" is not between 0 and 1024"},
      {"server: {limits: {header_bytes: 1GiB}}",
       "f.yaml:1: server.limits.header_bytes: \"1GiB\" is not between 4KiB and 1MiB"},
      {"server: {limits: {connections: 0}}",
       "f.yaml:1: server.limits.connections: \"0\" is not between 1 and 1000000"},
      {"server: {limits: {drain: 2d}}",
       "f.yaml:1: server.limits.drain: \"2d\" is not between 0ms and 1h"},
  });
}

TEST(Problems, Files) {
  FakeSurroundings fake;
  fake.files = {{"/c", "x"}, {"/k", "x"}};
  EXPECT_THAT(problems_of("server: {tls: {certificate: /c, key: /none}}", fake),
              ElementsAre("f.yaml:1: server.tls.key: \"/none\" cannot be read: "
                          "No such file or directory"));
  EXPECT_THAT(problems_of("server: {tls: {certificate: /c}}", fake),
              ElementsAre("f.yaml:1: server.tls: has a certificate without a key"));
  EXPECT_THAT(problems_of("server: {tls: {key: /k}}", fake),
              ElementsAre("f.yaml:1: server.tls: has a key without a certificate"));
  EXPECT_THAT(problems_of("server: {tls: {client_ca: /c}}", fake),
              ElementsAre("f.yaml:1: server.tls: has client_ca without a certificate and a key"));
  EXPECT_THAT(problems_of("registries: {ghcr.io: {ca: /none}}", fake),
              ElementsAre(HasSubstr("registries.ghcr.io.ca: \"/none\" cannot be read")));
}

TEST(Problems, Registries) {
  expect_each({
      {"registries: {corp: {}}", "f.yaml:1: registries.corp: has neither a url nor a bucket"},
      {"registries:\n  corp:", "f.yaml:2: registries.corp: has neither a url nor a bucket"},
      {"registries: {corp: {url: corp.example}}",
       "f.yaml:1: registries.corp.url: needs the form https://host or http://host"},
      {"registries: {corp: {url: https://c.example/v2}}",
       "f.yaml:1: registries.corp.url: must end after the host and port: no path, query or "
       "fragment"},
      {"registries: {ghcr.io: {mirrors: [https://a.example, b]}}",
       "f.yaml:1: registries.ghcr.io.mirrors[1]: needs the form https://host or http://host"},
      {"registries: {Corp: {url: https://c}}",
       "f.yaml:1: registries.Corp: is no name for a registry: write host or host:port in lower "
       "case"},
      {"registries: {a/b: {url: https://c}}",
       "f.yaml:1: registries.a/b: is no name for a registry: write host or host:port in lower "
       "case"},
      {"registries: {ghcr.io: {username: me}}",
       "f.yaml:1: registries.ghcr.io: has a username without a password"},
      {"registries: {ghcr.io: {password: x}}",
       "f.yaml:1: registries.ghcr.io: has a password without a username"},
      {"registries: {ghcr.io: {username: 'a:b', password: x}}",
       "f.yaml:1: registries.ghcr.io.username: must not hold a colon: HTTP ends the user name "
       "there"},
      {"registries: {ghcr.io: {username: me, password: x, exec: [helper, get]}}",
       "f.yaml:1: registries.ghcr.io: has both username and password, and exec: keep one"},
      {"registries: {ghcr.io: {exec: []}}",
       "f.yaml:1: registries.ghcr.io.exec: must name a program"},
      {"registries: {ghcr.io: {exec: [a], credentials: {exec: [b]}}}",
       "f.yaml:1: registries.ghcr.io.credentials: and exec beside it say the same: keep one"},
      {"registries: {ghcr.io: {credentials: relais}}",
       "f.yaml:1: registries.ghcr.io.credentials: must be relay, or hold exec: [program, argument, "
       "...]"},
      {"registries: {ghcr.io: {token_hosts: [https://x]}}",
       "f.yaml:1: registries.ghcr.io.token_hosts[0]: \"https://x\" needs the form host or "
       "host:port"},
      {"registries: {ghcr.io: {timeouts: {stall: 0s}}}",
       "f.yaml:1: registries.ghcr.io.timeouts.stall: \"0s\" is not between 1ms and 1h"},
      {"registries: {ghcr.io: {timeouts: {connect: 5}}}",
       "f.yaml:1: registries.ghcr.io.timeouts.connect: \"5\" has no unit: write ms, s, m, h or d "
       "behind it (30s)"},
      {"registries: {ghcr.io: {timeouts: {connect: soon}}}",
       "f.yaml:1: registries.ghcr.io.timeouts.connect: \"soon\" is not a duration: write a number "
       "and ms, s, m, h or d (30s)"},
  });
}

TEST(Problems, Secrets) {
  FakeSurroundings fake;
  fake.environment["EMPTY"] = "";
  fake.files = {{"/empty", "\n"}, {"/lines", "a\nb\n"}, {"/huge", std::string(70'000, 'x')}};
  const auto with = [&](const std::string& password) {
    return problems_of("registries: {ghcr.io: {username: me, password: '" + password + "'}}", fake);
  };
  const std::string at = "f.yaml:1: registries.ghcr.io.password: ";
  EXPECT_THAT(with("env:NONE"), ElementsAre(at + "the environment variable \"NONE\" is not set"));
  EXPECT_THAT(with("env:EMPTY"), ElementsAre(at + "the environment variable \"EMPTY\" is not set"));
  EXPECT_THAT(with("file:/none"),
              ElementsAre(at + "\"/none\" cannot be read: No such file or directory"));
  EXPECT_THAT(with("file:/empty"), ElementsAre(at + "the file \"/empty\" is empty"));
  EXPECT_THAT(with("file:/huge"), ElementsAre(HasSubstr("cannot be read: too large")));
  EXPECT_THAT(with("file:/lines"),
              ElementsAre(at + "the secret holds a line break or another control character"));
}

TEST(Problems, NeverTellASecret) {
  for (const std::string_view text :
       {"registries: {ghcr.io: {proxy: 'http://bob:hunter2@pro xy'}}",
        "registries: {ghcr.io: {url: 'https://bob:hunter2@ghcr.io'}}",
        "registries: {ghcr.io: {mirrors: ['https://bob:hunter2@ghcr.io']}}",
        "registries: {ghcr.io: {username: 'bob:hunter2', password: 'hunter2'}}",
        "registries: {ghcr.io: {username: bob, password: [hunter2]}}"}) {
    const auto problems = problems_of(text);
    ASSERT_THAT(problems, SizeIs(1)) << text;
    EXPECT_THAT(problems[0], Not(HasSubstr("hunter2")));
  }
}

TEST(Problems, Routes) {
  expect_each({
      {"routes: alpine", "f.yaml:1: routes: must be a list of routes"},
      {"routes: [{to: ghcr.io/}]",
       "f.yaml:1: routes[0]: a route needs one of match, host and namespace"},
      {"routes: [{match: a}]", "f.yaml:1: routes[0]: has no `to`"},
      {"routes: [{match: a/, namespace: b, to: ghcr.io/}]",
       "f.yaml:1: routes[0]: namespace cannot be combined with match or host"},
      {"routes: [{match: a, to: ghcr.io/a, allow: []}]",
       "f.yaml:1: routes[0].allow: is empty: a route allows pull at least"},
      {"routes: [{match: a, to: ghcr.io/a, allow: [pull, eat]}]",
       "f.yaml:1: routes[0].allow[1]: \"eat\" is none of pull, push, delete"},
      {"routes: [{match: a, to: ghcr.io/a, allow: [psuh]}]",
       "f.yaml:1: routes[0].allow[0]: \"psuh\" is none of pull, push, delete; did you mean push?"},
      {"routes: [{match: a, to: ghcr.io/a, allow: push}]",
       "f.yaml:1: routes[0].allow: needs pull as well, for clients look first what is there: write "
       "[pull,push]"},
      {"routes: [{match: a, to: ghcr.io/a, allow: [push, delete]}]",
       "f.yaml:1: routes[0].allow: needs pull as well, for clients look first what is there: write "
       "[pull,push,delete]"},
      {"routes: [{match: a, to: ghcr.io/a, allow: {pull: true}}]",
       "f.yaml:1: routes[0].allow: must be a list, but is a mapping"},
      {"auth: {anonymous: [read]}",
       "f.yaml:1: auth.anonymous[0]: \"read\" is none of pull, push, delete; [] is for nothing"},
      {"auth: {anonymous: [pul]}",
       "f.yaml:1: auth.anonymous[0]: \"pul\" is none of pull, push, delete; did you mean pull?"},
  });
}

TEST(Problems, RoutesThatDoNotFitTogether) {
  EXPECT_THAT(problems_of("routes:\n- {match: a/, to: ghcr.io/}\n- {match: b/, to: nowhere/}\n"),
              ElementsAre(testing::AllOf(testing::StartsWith("f.yaml:3: routes[1]: "),
                                         HasSubstr("nowhere"))));
  EXPECT_THAT(problems_of("routes:\n- {match: a/, to: ghcr.io/}\n- {match: a/, to: quay.io/}\n"),
              ElementsAre(testing::StartsWith("f.yaml:3: routes[1]: ")));
  EXPECT_THAT(problems_of("registries: {Corp: {url: https://c.example}}\n"
                          "routes:\n- match: a/\n  to: [x]\n- {match: b/, to: nowhere/}\n"),
              ElementsAre(testing::StartsWith("f.yaml:1: registries.Corp: is no name"),
                          "f.yaml:4: routes[0].to: must be text, but is a list",
                          testing::StartsWith("f.yaml:5: routes[1]: ")));
}

TEST(Problems, RoutesPatternsThatNeverMatch) {
  const auto problems_with = [](const std::string& to, const std::string& policy) {
    return problems_of("registries: {corp: {url: https://corp.example}}\nroutes: [{" + to + ", " +
                       policy + "}]");
  };
  const std::string team = "match: x/, to: corp/team/";
  EXPECT_THAT(problems_with(team, "deny: [\"corp/team/secret-*\", team/a]"),
              ElementsAre("f.yaml:2: routes[0]: deny \"corp/team/secret-*\" matches no repository "
                          "that \"corp/team/\" can lead to; patterns here have no registry: write "
                          "\"team/secret-*\""));
  EXPECT_THAT(problems_with(team, "repositories: [app]"),
              ElementsAre("f.yaml:2: routes[0]: repositories \"app\" matches no repository that "
                          "\"corp/team/\" can lead to"));
  const std::string hub = "match: \"\", to: docker.io/";
  EXPECT_THAT(problems_with(hub, "deny: [alpine]"),
              ElementsAre(HasSubstr("write \"library/alpine\"")));
  EXPECT_THAT(problems_with("match: a, to: docker.io/a", "deny: [a]"), SizeIs(1));
  EXPECT_THAT(problems_with("match: a, to: docker.io/a", "deny: [library/a]"), SizeIs(0));

  // What may match is left alone.
  const std::string any = "namespace: \"*\", to: \"{1}/\"";
  for (const std::string policy : {"deny: [alpine]", "deny: [corp/x]", "deny: [\"*/x\"]"}) {
    EXPECT_THAT(problems_with(any, policy), SizeIs(0)) << policy;
  }
  EXPECT_THAT(problems_with("host: \"*.m.example\", to: \"corp/{1}/\"", "deny: [\"a/b/c\"]"),
              SizeIs(0));
  EXPECT_THAT(problems_with(team, "deny: [\"**\", \"*/x\", \"t*/x\", \"team/**/x\"]"), SizeIs(0));
  EXPECT_THAT(problems_with(hub, "deny: [team/app]"), SizeIs(0));
  EXPECT_THAT(problems_with("match: \"\", to: corp/", "deny: [corp/app, app]"), SizeIs(0));
}

TEST(Problems, AllAtOnceInTheFilesOrder) {
  FakeSurroundings fake;
  fake.environment["FAIRLEAD_SERVER_WORKERS"] = "many";
  EXPECT_THAT(
      problems_of("log: {level: x}\n"
                  "registries:\n"
                  "  corp: {url: x}\n"
                  "server:\n"
                  "  listen: y\n"
                  "  listen: z\n"
                  "wat: 1\n",
                  fake, {.cache_directory = "~/x", .log_format = "xml"}),
      ElementsAre(testing::StartsWith("f.yaml:1: log.level: "),
                  testing::StartsWith("f.yaml:3: registries.corp.url: "),
                  testing::StartsWith("f.yaml:5: server.listen: "),
                  testing::StartsWith("f.yaml:6: server.listen: given twice"),
                  testing::StartsWith("f.yaml:7: wat: "),
                  testing::StartsWith("--cache-directory: "), testing::StartsWith("--log-format: "),
                  testing::StartsWith("FAIRLEAD_SERVER_WORKERS: ")));
}

TEST(Problems, AreBoundedInNumber) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "k" + std::to_string(i) + ": v\n";
  EXPECT_THAT(problems_of(text), SizeIs(100));
  EXPECT_THAT(problems_of(std::string(kMaxFileBytes + 1, '#')),
              ElementsAre("f.yaml: is larger than 1 MiB"));
}

TEST(Problems, ACatalogIsOfARegistryThatTellsItsNames) {
  EXPECT_THAT(problems_of("registries: {corp: {url: https://c.example, catalog: perhaps}}"),
              ElementsAre(testing::HasSubstr("registries.corp.catalog: ")));
  EXPECT_THAT(problems_of("registries: {corp: {bucket: {name: b, region: r}, catalog: true}}"),
              testing::Contains(testing::HasSubstr("registries.corp.catalog: is for a registry")));
}

}  // namespace
}  // namespace fairlead::config
