package cairn;

import java.lang.reflect.Field;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.security.UserGroupInformation;

/** The users that tests make up: a NameNode in their JVM sees the groups they give them, ours has to be told. */
public final class TestUsers {
    /** Those that a test makes up only when the cluster runs. */
    private static final Map<String, String> LATER = new LinkedHashMap<>();

    static {
        for (String user : System.getProperty("cairn.users", "").split(";")) {
            int split = user.indexOf('=');
            if (split > 0) {
                LATER.put(user.substring(0, split), user.substring(split + 1));
            }
        }
    }

    private TestUsers() {
    }

    /** In the form of hadoop.user.group.static.mapping.overrides. */
    public static String groups() {
        Map<String, String> all = new LinkedHashMap<>(LATER);
        try {
            Field field = UserGroupInformation.class.getDeclaredField("groups");
            field.setAccessible(true);
            Object groups = field.get(null);
            if (groups == null || !groups.getClass().getSimpleName().equals("TestingGroups")) {
                return text(all); // no test has made up users yet
            }
            Field known = groups.getClass().getDeclaredField("userToGroupsMapping");
            known.setAccessible(true);
            for (Map.Entry<?, ?> user : ((Map<?, ?>) known.get(groups)).entrySet()) {
                Collection<?> names = (Collection<?>) user.getValue();
                all.put((String) user.getKey(), String.join(",", names.toArray(new String[0])));
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
        return text(all);
    }

    private static String text(Map<String, String> all) {
        StringBuilder text = new StringBuilder("dr.who=;");
        all.forEach((user, names) -> text.append(user).append('=').append(names).append(';'));
        return text.toString();
    }
}
