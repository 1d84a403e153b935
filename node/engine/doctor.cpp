// `kith doctor`: what is in the way. The engine's half: ports, addresses, whether peers reached us,
// clocks, peers that were not reached. Disk and versions are added by the runtime, which may look.
#include "node/engine/engine.hpp"

namespace kith::node {
namespace {

DoctorCheck check_ports(const EngineConfig& config) {
  if (config.listening.empty()) {
    return {"ports", "problem", "the node listens nowhere",
            "choose a port: kith config listen HOST:PORT"};
  }
  std::string at;
  for (const Endpoint& endpoint : config.listening)
    at += (at.empty() ? "" : ", ") + endpoint.to_string();
  return {"ports", "ok", "listening on " + at + ", UDP and TCP", {}};
}

DoctorCheck check_addresses(const EngineConfig& config, const std::set<Endpoint>& seen_as) {
  std::string own;
  if (config.advertise) own = config.advertise->to_string() + " (advertised)";
  for (const Endpoint& endpoint : config.own)
    own += (own.empty() ? "" : ", ") + endpoint.to_string();
  if (own.empty()) {
    return {"addresses", "warning", "this machine has no address but loopback",
            "others can join over this machine only; is the network up?"};
  }
  std::string seen;
  for (const Endpoint& endpoint : seen_as)
    seen += (seen.empty() ? "" : ", ") + endpoint.to_string();
  return {
      "addresses", "ok", "reachable as " + own + (seen.empty() ? "" : "; members see " + seen), {}};
}

DoctorCheck check_reached(std::uint64_t reached, std::size_t connections, bool members) {
  if (reached > 0) return {"reached", "ok", "others connected to this device", {}};
  if (!members) return {"reached", "ok", "no other member is known yet", {}};
  // Of two devices one connects: who was quicker says nothing about firewalls.
  if (connections > 0) {
    return {"reached", "ok", "this device connected to members; none had to connect to it yet", {}};
  }
  return {"reached", "warning", "no member reached this device since it started",
          "does a firewall drop incoming TCP and UDP on its port?"};
}

DoctorCheck check_clock(bool missed) {
  if (!missed) return {"clock", "ok", "nothing arrived lately with a time far from ours", {}};
  return {"clock", "problem",
          "messages came whose time is over 30 minutes from this device's clock",
          "compare the clocks of the devices (timedatectl); kith refuses such messages"};
}

}  // namespace

void Engine::on_command(Turn& turn, RequestId request, const GetDoctor&) {
  DoctorAnswer answer;
  answer.checks.push_back(check_ports(config_));
  answer.checks.push_back(check_addresses(config_, discovery_.seen_as()));
  std::size_t connected = 0;
  for (const auto& [id, conn] : connections_) connected += conn->announced ? 1U : 0U;
  bool members = false;
  for (const auto& [id, swarm] : swarms_.all()) {
    members = members || swarm->roster.state().members.size() > 1;
  }
  answer.checks.push_back(check_reached(reached_by_, connected, members));
  answer.checks.push_back(check_clock(swarms_.clock_missed_lately(turn.now.mono)));
  for (const auto& [id, swarm] : swarms_.all()) {
    const std::size_t others = swarm->roster.state().members.size() - (swarm->role ? 1U : 0U);
    std::string unreached;
    for (const auto& [endpoint, address] : discovery_.book(id)->all()) {
      const bool met = address.device && connection_to(id, *address.device) != nullptr;
      if (met || address.last_failure.empty()) continue;
      unreached +=
          (unreached.empty() ? "" : "; ") + endpoint.to_string() + ": " + address.last_failure;
    }
    const SwarmView view = named_view(*swarm);
    const bool alone = others > 0 && view.connected == 0;
    answer.checks.push_back(
        {"peers", alone ? "warning" : "ok",
         swarm->name + ": " + std::to_string(view.connected) + " of " + std::to_string(others) +
             " other members connected, " + std::to_string(discovery_.dht_contacts(id)) +
             " in the DHT" + (unreached.empty() ? "" : "; not reached: " + unreached),
         alone ? "are they running, and on this network? 'kith peers' shows each" : ""});
  }
  turn.done(request, std::move(answer));
}

}  // namespace kith::node
