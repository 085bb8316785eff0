// SPDX-License-Identifier: Apache-2.0
#include "upstream/credential_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <optional>
#include <thread>

#include "base/unique_fd.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace fairlead::upstream {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = 64 * 1024;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A child process; killed and reaped when it is still there at the end.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The exit status; nullopt when it still runs at `deadline`.
  std::optional<int> wait(steady_clock::time_point deadline) {
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) {
        pid_ = -1;
        return status;
      }
      if (steady_clock::now() >= deadline) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // it has closed its output
    }
  }

 private:
  pid_t pid_;
};

Result<pid_t> spawn(const std::vector<std::string>& argv, int input, int output) {
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // posix_spawn changes none
  }
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return errno_error(error, "start " + argv[0]);
  return pid;
}

// All that `fd` gives until its end. The writer may still be running afterwards.
Result<std::string> read_all(int fd, steady_clock::time_point deadline) {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&poll, 1, static_cast<int>(left.count())) == 0) {
      return internal_error(Code::Timeout, "did not answer in time");
    }
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(errno, "read its answer");
    if (count == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
    if (text.size() > kMaxAnswer) {
      return internal_error(Code::TooLarge, "answers more than 64 KiB");
    }
  }
}

}  // namespace

Result<Credentials> run_credential_helper(const std::vector<std::string>& argv,
                                          const std::string& server,
                                          std::chrono::milliseconds deadline) {
  const auto until = steady_clock::now() + deadline;
  auto input = make_pipe();
  auto output = make_pipe();
  if (!input) return std::unexpected(std::move(input.error()));
  if (!output) return std::unexpected(std::move(output.error()));

  // Written before the program starts: so short a line fits into the pipe, and nobody is killed by
  // a program that does not read it.
  const std::string line = server + "\n";
  if (line.size() > PIPE_BUF ||
      ::write(input->write_end.get(), line.data(), line.size()) != std::ssize(line)) {
    return internal_error(Code::InvalidArgument, "the registry's host is too long");
  }
  auto pid = spawn(argv, input->read_end.get(), output->write_end.get());
  if (!pid) return std::unexpected(std::move(pid.error()));
  Child child(*pid);
  input = Pipe{};
  output->write_end.reset();

  auto answer = read_all(output->read_end.get(), until);
  if (!answer) return std::unexpected(std::move(answer.error()));
  const auto status = child.wait(until);
  if (!status) return internal_error(Code::Timeout, "does not end");
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    // The protocol's own words for "none": the answer is this sentence, on standard output.
    if (answer->contains("credentials not found")) {
      return internal_error(Code::Unauthorized, "has no credentials for " + server);
    }
    return internal_error(Code::Unavailable, "failed; run it by hand with `" + server +
                                                 "` on standard input to see why");
  }
  return parse_helper_answer(*answer);
}

Result<Credentials> parse_helper_answer(std::string_view json) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(json, ec);
  const auto* object = ec ? nullptr : value.if_object();
  const auto text = [&](const char* key) -> const boost::json::string* {
    const auto* member = object == nullptr ? nullptr : object->if_contains(key);
    return member == nullptr ? nullptr : member->if_string();
  };
  const auto* username = text("Username");
  const auto* secret = text("Secret");
  if (username == nullptr || secret == nullptr || secret->empty()) {
    return internal_error(Code::Corrupt, "answers something without Username and Secret");
  }
  return Credentials{std::string(username->data(), username->size()),
                     Secret(std::string(secret->data(), secret->size()))};
}

}  // namespace fairlead::upstream
