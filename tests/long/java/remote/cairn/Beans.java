package cairn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.net.URL;

/** What a NameNode tells everybody of itself, at /jmx. */
final class Beans {
    private final InetSocketAddress http;
    private final String[] names;

    /** names: the beans to look at, in this order. */
    Beans(InetSocketAddress http, String... names) {
        this.http = http;
        this.names = names;
    }

    /** What the method would get; null if no bean has it. */
    Object attribute(Method method) throws IOException {
        if (!method.getName().startsWith("get") || method.getParameterCount() > 0) {
            return null;
        }
        String wanted = method.getName().substring(3).replaceAll("BlocksCount$", "Blocks");
        for (String name : names) {
            URL place = new URL("http", http.getHostString(), http.getPort(), "/jmx?qry=Hadoop:service=NameNode,name=" + name);
            JsonNode value = new ObjectMapper().readTree(place).path("beans").path(0).path(wanted);
            Object converted = as(method.getReturnType(), value);
            if (converted != null) {
                return converted;
            }
        }
        return null;
    }

    private static Object as(Class<?> type, JsonNode value) {
        if (type == long.class && value.isIntegralNumber()) {
            return value.longValue();
        } else if (type == int.class && value.isIntegralNumber()) {
            return value.intValue();
        } else if (type == String.class && value.isTextual()) {
            return value.textValue();
        }
        return null;
    }
}
