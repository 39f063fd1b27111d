//! Machines and cables made of network namespaces: each member in one of its own, joined by a direct cable (a veth
//! pair, which loses carrier on both sides when one is taken down) or by a switch (a bridge whose ports can be taken
//! out while their carrier stays). All of it goes with the [`Network`], also when the test panics.

// Every file in tests/ is a crate of its own and uses its own share of this.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::group::Group;

/// Namespaces with addresses and cables.
pub struct Network {
    machines: Vec<String>,
    switch: Option<String>,
    addresses: Vec<Vec<SocketAddr>>,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("the program starts");
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn ip(arguments: &[&str]) {
    run("ip", arguments).expect("an ip command that the probe has shown to work");
}

impl Network {
    /// Namespaces of names that nothing else uses: this process's number and a count are in them.
    fn machines(count: usize) -> Network {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = |last: &str| format!("tandem-{}-{number}-{last}", std::process::id());
        let mut network = Network { machines: Vec::new(), switch: None, addresses: Vec::new() };
        for machine in 0..count {
            let name = name(&machine.to_string());
            ip(&["netns", "add", &name]);
            network.machines.push(name.clone());
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
        network
    }

    /// Two machines and `cables` direct cables between them, each a network of its own.
    pub fn direct(cables: usize) -> Network {
        let mut network = Network::machines(2);
        network.addresses = vec![Vec::new(); 2];
        for cable in 0..cables {
            let name = format!("cable{cable}");
            let [a, b] = &network.machines[..] else { unreachable!("two were made") };
            ip(&["link", "add", &name, "netns", a, "type", "veth", "peer", "name", &name, "netns", b]);
            for machine in 0..2 {
                network.address(machine, cable, &name);
            }
        }
        network
    }

    /// `count` machines on one switch.
    pub fn switched(count: usize) -> Network {
        let mut network = Network::machines(count);
        network.addresses = vec![Vec::new(); count];
        let switch = format!("{}-switch", network.machines[0]);
        ip(&["netns", "add", &switch]);
        network.switch = Some(switch.clone());
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge", "forward_delay", "0"]);
        ip(&["-n", &switch, "link", "set", "bridge", "up"]);
        for machine in 0..count {
            let port = format!("port{machine}");
            let name = network.machines[machine].clone();
            ip(&["link", "add", "cable0", "netns", &name, "type", "veth", "peer", "name", &port, "netns", &switch]);
            ip(&["-n", &switch, "link", "set", &port, "master", "bridge", "up"]);
            network.address(machine, 0, "cable0");
        }
        network
    }

    fn address(&mut self, machine: usize, cable: usize, interface: &str) {
        let address = format!("10.77.{cable}.{}", machine + 1);
        let name = &self.machines[machine];
        ip(&["-n", name, "address", "add", &format!("{address}/24"), "dev", interface]);
        ip(&["-n", name, "link", "set", interface, "up"]);
        self.addresses[machine].push(format!("{address}:7400").parse().expect("an address"));
    }

    /// A group whose members run on these machines.
    pub fn group(&self, more: &str) -> Group {
        self.group_of(self.machines.len(), more)
    }

    /// A machine's name, which `ip netns exec` takes, and its first address.
    pub fn machine(&self, machine: usize) -> (&str, std::net::IpAddr) {
        (&self.machines[machine], self.addresses[machine][0].ip())
    }

    /// A group whose members run on the first `count` of these machines.
    pub fn group_of(&self, count: usize, more: &str) -> Group {
        let mut group = Group::at(self.addresses[..count].to_vec(), more);
        for (member, machine) in self.machines[..count].iter().enumerate() {
            group.run_through(member, &["ip", "netns", "exec", machine]);
        }
        group
    }

    /// Gives every machine an address that answers it whatever becomes of the cables: a reference address.
    pub fn reference(&self, address: &str) {
        for machine in &self.machines {
            ip(&["-n", machine, "address", "add", &format!("{address}/32"), "dev", "lo"]);
            ip(&["-n", machine, "link", "set", "lo", "up"]);
        }
    }

    /// Pulls a direct cable: both ends lose their carrier.
    pub fn pull(&self, cable: usize) {
        ip(&["-n", &self.machines[0], "link", "set", &format!("cable{cable}"), "down"]);
    }

    /// Plugs it in again.
    pub fn plug(&self, cable: usize) {
        ip(&["-n", &self.machines[0], "link", "set", &format!("cable{cable}"), "up"]);
    }

    fn switch(&self) -> &str {
        self.switch.as_deref().expect("these machines are on a switch")
    }

    /// Takes a machine's port out of the switch: silence, while the carrier stays.
    pub fn detach(&self, machine: usize) {
        ip(&["-n", self.switch(), "link", "set", &format!("port{machine}"), "nomaster"]);
    }

    /// Puts it back.
    pub fn attach(&self, machine: usize) {
        ip(&["-n", self.switch(), "link", "set", &format!("port{machine}"), "master", "bridge"]);
    }

    /// From now on `machine` receives nothing that `from` sends; the other way stays open.
    pub fn deafen(&self, machine: usize, from: usize) {
        let source = self.addresses[from][0].ip().to_string();
        let name = &self.machines[machine];
        let nft = |words: &str| {
            let mut arguments = vec!["netns", "exec", name.as_str(), "nft"];
            arguments.extend(words.split(' '));
            ip(&arguments);
        };
        nft("add table inet test");
        nft("add chain inet test input { type filter hook input priority 0 ; }");
        nft(&format!("add rule inet test input ip saddr {source} drop"));
    }

    /// Undoes every [`Network::deafen`] of this machine.
    pub fn undeafen(&self, machine: usize) {
        ip(&["netns", "exec", &self.machines[machine], "nft", "delete", "table", "inet", "test"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cables go with the machines at their ends. One that could not be removed fails no test: the next has
        // other names.
        for machine in self.machines.iter().chain(&self.switch) {
            drop(run("ip", &["netns", "delete", machine]));
        }
    }
}
