package cairn;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Blocks of ports for clusters, from the property cairn.ports: the first port of each, separated by commas. */
public final class Ports {
    private static final Deque<Integer> free = new ArrayDeque<>();

    static {
        for (String base : System.getProperty("cairn.ports").split(",")) {
            free.add(Integer.valueOf(base));
        }
    }

    private Ports() {
    }

    public static synchronized int take() throws IOException {
        if (free.isEmpty()) {
            throw new IOException("more clusters at once than there are blocks of ports");
        }
        return free.remove();
    }

    public static synchronized void giveBack(int base) {
        free.addLast(base); // the one used last comes last
    }
}
