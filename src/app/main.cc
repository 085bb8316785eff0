// SPDX-License-Identifier: Apache-2.0
// The command line.
//
// Exit codes: 0 it worked, 1 it did not (the reason is on standard error), 2 the command line is
// not understood.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cache_command.h"
#include "app/command_words.h"
#include "app/explain_command.h"
#include "app/process.h"
#include "app/token_command.h"
#include "config/config.h"

namespace {

using fairlead::config::Config;

constexpr int kUsageError = 2;

struct Options {
  std::string file;
  fairlead::config::Overrides overrides;
};

void add_options(CLI::App& command, Options& options) {
  command.add_option("-c,--config", options.file, "Configuration file (YAML)")->type_name("FILE");
  command
      .add_option("-l,--listen", options.overrides.listen,
                  "Address to listen on: host:port, [v6]:port or unix:/path; may be repeated")
      ->type_name("ADDRESS");
  command.add_option("--workers", options.overrides.workers, "Worker threads; 0: one per core")
      ->type_name("N");
  command
      .add_option("--cache-directory", options.overrides.cache_directory,
                  "Where cached content is kept")
      ->type_name("PATH");
  command.add_option("--log-level", options.overrides.log_level, "debug, info, warn or error")
      ->type_name("LEVEL");
  command.add_option("--log-format", options.overrides.log_format, "text or json")
      ->type_name("FORMAT");
}

// Prints every problem; nullopt when there is one.
std::optional<Config> load(const Options& options, bool is_only_cache = false) {
  std::optional<std::filesystem::path> file;
  if (!options.file.empty()) file = options.file;
  auto surroundings = fairlead::config::process_surroundings();
  surroundings.is_only_cache = is_only_cache;
  auto loaded = fairlead::config::load(file, options.overrides, surroundings);
  if (loaded) return std::move(*loaded);
  for (const auto& problem : loaded.error()) {
    std::fprintf(stderr, "%s\n", fairlead::config::to_string(problem).c_str());
  }
  return std::nullopt;
}

int check(const Options& options) {
  const auto config = load(options);
  if (!config) return 1;
  for (const auto& warning : config->warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::printf("configuration is valid: %zu registries, %zu routes\n", config->registries.size(),
              config->routes.size());
  return 0;
}

int serve(const Options& options) {
  const auto config = load(options);
  return config ? fairlead::app::serve(*config) : 1;
}

int manage_cache(const Options& options, const fairlead::app::CacheCommand& command) {
  const auto config = load(options, true);
  return config ? fairlead::app::run_cache_command(*config, command) : 1;
}

int explain(const Options& options, const fairlead::app::ExplainCommand& command) {
  const auto config = load(options);
  return config ? fairlead::app::run_explain_command(*config, command) : 1;
}

int manage_tokens(const Options& options, const fairlead::app::TokenCommand& command) {
  const auto config = load(options);
  return config ? fairlead::app::run_token_command(*config, command) : 1;
}

CLI::App* add_explain_command(CLI::App& app, Options& options,
                              fairlead::app::ExplainCommand& command) {
  auto* explain = app.add_subcommand(
      "explain", "Tell which route, rule and registry decide about an image; ask nobody");
  explain->add_option("-c,--config", options.file, "Configuration file (YAML)")->type_name("FILE");
  explain->add_option("--as", command.as, "User, or subject of a JWT; without: no credentials")
      ->type_name("USER");
  explain->add_option("--action", command.action, "pull, push or delete")
      ->check(CLI::IsMember({"pull", "push", "delete"}))
      ->type_name("ACTION");
  explain->add_option("--host", command.host, "Host that the client asks")->type_name("HOST");
  explain->add_option("--namespace", command.name_space, "What containerd says as ?ns=")
      ->type_name("NAME");
  explain->add_flag("--json", command.is_json, "Answer as JSON");
  explain->add_option("image", command.image, "Image, as the client names it")
      ->required()
      ->type_name("IMAGE");
  return explain;
}

// The subcommands of `cache`, each of which says in `command` that it is meant.
CLI::App* add_cache_commands(CLI::App& app, Options& options,
                             fairlead::app::CacheCommand& command) {
  using fairlead::app::CacheVerb;
  auto* cache = app.add_subcommand("cache", "Look at what is cached, forget it, check it");
  cache->require_subcommand(1);
  const auto add = [&](const char* name, CacheVerb verb, const char* description) {
    auto* one = cache->add_subcommand(name, description);
    one->add_option("-c,--config", options.file, "Configuration file (YAML)")->type_name("FILE");
    one->add_option("--cache-directory", options.overrides.cache_directory,
                    "Where cached content is kept")
        ->type_name("PATH");
    one->add_flag("--json", command.is_json, "Answer as JSON");
    one->callback([&command, verb] { command.verb = verb; });
    return one;
  };
  add("stats", CacheVerb::Stats, "Count what is cached");
  add("list", CacheVerb::List, "List the images, with their sizes and last use")
      ->add_option("pattern", command.patterns, "registry/repository[:tag], with * and **")
      ->expected(0, 1)
      ->type_name("PATTERN");
  add("purge", CacheVerb::Purge, "Forget images; running pulls of them finish")
      ->add_option("pattern", command.patterns, "registry/repository[:tag], with * and **")
      ->required()
      ->type_name("PATTERN");
  add("verify", CacheVerb::Verify,
      "Read and check everything; remove what is damaged, so that it is fetched again");
  return cache;
}

void add_issue_options(CLI::App& issue, fairlead::app::TokenCommand& command) {
  auto& wish = command.wish;
  issue.add_option("--subject", wish.subject, "Whom it is for: the name that rules and logs have")
      ->type_name("NAME");
  issue
      .add_option("--repository", wish.repositories,
                  "What it gives: team/app; team/** for team and all below it; ** for everything; "
                  "may be repeated; without: what auth.rules give to the subject")
      ->type_name("NAME");
  issue.add_option("--actions", wish.actions, "Of pull, push, delete, with commas (pull)")
      ->type_name("ACTIONS");
  issue.add_option("--lifetime", wish.lifetime, "30s, 15m, 7d (1h)")->type_name("DURATION");
  issue.add_flag("--sealed", wish.is_sealed, "A sealed token of the gateway's own, not a JWT");
  issue
      .add_option("--key", command.key_file,
                  "Private key (PEM), or HS secret, to sign with; without: the first secret of "
                  "auth.jwt")
      ->type_name("FILE");
  issue.add_option("--algorithm", wish.algorithm, "HS256 ... HS512, RS256 ... RS512, ES256, ES384")
      ->type_name("NAME");
  issue.add_option("--kid", wish.kid, "Id of the key, for the token's header")->type_name("ID");
  issue.add_option("--issuer", wish.issuer, "Claim iss; without: that of the entry of auth.jwt")
      ->type_name("NAME");
  issue
      .add_option("--audience", wish.audience, "Claim aud; without: that of the entry of auth.jwt")
      ->type_name("NAME");
  issue
      .add_option("--form", wish.form,
                  "Of the claim access: distribution (exact names) or repositories (subtrees, "
                  "everything); without: the one that fits")
      ->check(CLI::IsMember({"distribution", "repositories"}))
      ->type_name("FORM");
}

CLI::App* add_token_commands(CLI::App& app, Options& options,
                             fairlead::app::TokenCommand& command) {
  using fairlead::app::TokenVerb;
  auto* token = app.add_subcommand("token", "Issue tokens, and tell what one says and is worth");
  token->require_subcommand(1);
  const auto add = [&](const char* name, TokenVerb verb, const char* description) {
    auto* one = token->add_subcommand(name, description);
    one->add_option("-c,--config", options.file, "Configuration file (YAML)")->type_name("FILE");
    one->add_option("--cache-directory", options.overrides.cache_directory,
                    "Where token.key is, when auth.keys names none")
        ->type_name("PATH");
    one->callback([&command, verb] { command.verb = verb; });
    return one;
  };
  add_issue_options(*add("issue", TokenVerb::Issue,
                         "Print a token for a docker login, or for an Authorization: Bearer"),
                    command);
  auto* inspect = add("inspect", TokenVerb::Inspect,
                      "Tell what a token says and whether it is accepted; fetch no keys");
  inspect->add_flag("--json", command.is_json, "Answer as JSON");
  inspect
      ->add_option("token", command.token,
                   "Token; - or nothing: from standard input, for other users of this machine see "
                   "what is on a command line")
      ->type_name("TOKEN");
  return token;
}

// The same as the parser would say less well; nullopt: all words that name commands do.
std::optional<std::string> find_unknown_command(const CLI::App& app,
                                                const std::vector<std::string>& words) {
  const CLI::App* parent = &app;
  std::string path = app.get_name();
  for (const std::string& word : words) {
    std::vector<std::string_view> names;
    for (const CLI::App* command : parent->get_subcommands({}))
      names.emplace_back(command->get_name());
    if (names.empty() || word.starts_with('-')) break;
    if (std::ranges::count(names, word) == 0)
      return fairlead::app::unknown_command(path, names, word);
    parent = parent->get_subcommand(word);
    path += " " + word;
  }
  return std::nullopt;
}

int run(int argc, char** argv) {
  CLI::App app("A gateway between container clients and OCI registries.", "fairlead");
  app.require_subcommand(1);
  app.set_version_flag("-V,--version", "fairlead " FAIRLEAD_VERSION);

  Options options;
  auto* serve_command = app.add_subcommand("serve", "Serve registries until told to stop");
  add_options(*serve_command, options);
  auto* check_command =
      app.add_subcommand("check", "Check the configuration and tell every problem");
  add_options(*check_command, options);
  fairlead::app::CacheCommand cache;
  auto* cache_command = add_cache_commands(app, options, cache);
  fairlead::app::ExplainCommand explanation;
  auto* explain_command = add_explain_command(app, options, explanation);
  fairlead::app::TokenCommand token;
  auto* token_command = add_token_commands(app, options, token);
  auto* version_command = app.add_subcommand("version", "Print the version");
  app.add_subcommand("help", "Print help, also on a command: help cache");

  auto words = fairlead::app::rewrite_help({argv + 1, argv + argc});
  if (const auto reason = find_unknown_command(app, words)) {
    std::fprintf(stderr, "fairlead: %s\n", reason->c_str());
    return kUsageError;
  }
  try {
    std::ranges::reverse(words);  // as the parser takes them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsageError;
  }
  if (version_command->parsed()) {
    std::puts("fairlead " FAIRLEAD_VERSION);
    return 0;
  }
  if (explain_command->parsed()) return explain(options, explanation);
  if (token_command->parsed()) return manage_tokens(options, token);
  if (cache_command->parsed()) return manage_cache(options, cache);
  return check_command->parsed() ? check(options) : serve(options);
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fputs("fairlead: standard output cannot be written\n", stderr);
  return code == 0 ? 1 : code;
}
