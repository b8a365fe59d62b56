// An 8-bit controller with an Ethernet shield: a temperature every ten seconds, by the smallest request that the bus takes.
// On a network that is not yours alone let a gateway stand between: this board has no memory for TLS.
#include <Ethernet.h>

static byte mac[] = {0xDE, 0xAD, 0xBE, 0xEF, 0xFE, 0xED};
static const char bus[] = "bus.local";
static const char proof[] = "ZGV2NzpzZWNyZXQ=";  // base64 of "dev7:secret"

EthernetClient net;

void setup() { Ethernet.begin(mac); }

void loop() {
  float celsius = analogRead(A0) * (5.0 / 1024.0) * 100.0 - 50.0;
  if (net.connect(bus, 5180)) {
    net.print(F("POST /t/dev7?temperature="));
    net.print(celsius, 1);
    net.print(F(" HTTP/1.1\r\nHost:bus.local\r\nAuthorization:Basic "));
    net.print(proof);
    net.print(F("\r\nContent-Length:0\r\nConnection:close\r\n\r\n"));
    while (net.connected()) net.read();  // What the bus answers is not looked at: the next reading comes anyway.
    net.stop();
  }
  delay(10000);
}
