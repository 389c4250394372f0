// Java's own HTTP client as anybody makes one. On a connection in clear it offers HTTP/2 by Upgrade
// with its first request, also with one that has a body. Prints a status and a body a line.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

public class Client {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String messages = arguments[0];
        for (int number = 1; number <= Integer.parseInt(arguments[1]); number++) {
            var body = BodyPublishers.ofString("{\"body\": \"hello from Java " + number + "\"}");
            show(to(messages).header("Content-Type", "application/json").POST(body));
            // Another client has no connection yet, so it offers the upgrade anew.
            show(HttpClient.newHttpClient(), to(messages + "/" + number));
        }
        show(to(messages));
        show(to(messages + "/search?query=Java"));
    }

    private static HttpRequest.Builder to(String address) {
        return HttpRequest.newBuilder(URI.create(address));
    }

    private static void show(HttpRequest.Builder request) throws Exception {
        show(CLIENT, request);
    }

    private static void show(HttpClient client, HttpRequest.Builder request) throws Exception {
        var answer = client.send(request.build(), BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body());
    }
}
